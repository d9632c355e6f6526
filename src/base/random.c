#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void
random_bytes(void *out, size_t len)
{
	char *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n == -1 && errno != EINTR)
			abort();
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* xoroshiro128++ (Blackman and Vigna, 2019), seeded by the system. */
uint64_t
random_quick(void)
{
	static _Thread_local uint64_t s[2];
	uint64_t a, b, out;

	if (s[0] == 0 && s[1] == 0)
		random_bytes(s, sizeof(s));
	a = s[0];
	b = s[1];
	out = rotl(a + b, 17) + a;
	b ^= a;
	s[0] = rotl(a, 49) ^ b ^ b << 21;
	s[1] = rotl(b, 28);
	return out;
}

uint32_t
random_below(uint32_t n)
{
	return (uint32_t)((random_quick() >> 32) * n >> 32);
}
