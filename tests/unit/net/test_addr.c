/* Addresses: parse, print, compare, trust. */
#include "net/addr.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "rig.h"

/* clang-format off */
static const struct {
	const char *in, *text, *host;
	uint16_t port;
} texts[] = {
	{ "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1", 80 },
	{ "[::1]:8443", "[::1]:8443", "::1", 8443 },
	{ "[2001:db8:0:0:0:0:0:1]:1", "[2001:db8::1]:1", "2001:db8::1", 1 },
	{ "[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", 80 },
	{ ":8080", "0.0.0.0:8080", "0.0.0.0", 8080 },
	{ "*:65535", "0.0.0.0:65535", "0.0.0.0", 65535 },
	{ "unix:/run/x.sock", "unix:/run/x.sock", "unix", 0 },
};
/* clang-format on */

Test(addr, prints_what_it_read)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a = rig_addr(texts[i].in);
		char text[ADDR_TEXT_MAX], host[ADDR_TEXT_MAX];

		cr_expect_eq(addr_text(&a, text), strlen(texts[i].text));
		cr_expect_str_eq(text, texts[i].text);
		cr_expect_eq(addr_host(&a, host), strlen(texts[i].host));
		cr_expect_str_eq(host, texts[i].host);
		cr_expect_eq(addr_port(&a), texts[i].port, "%s", texts[i].in);
	}
}

static int
of_host(const char *host, bool is_unix, struct addr *out)
{
	char text[512];
	struct cfg_addr c = { .host = text, .port = 1, .is_unix = is_unix };

	cr_assert_lt(strlen(host), sizeof(text));
	memcpy(text, host, strlen(host) + 1);
	return addr_of_cfg(&c, out);
}

Test(addr, tells_why_it_cannot)
{
	char longest[300];
	struct addr a;

	memset(longest, 'a', sizeof(longest));
	longest[299] = '\0';
	cr_expect_eq(of_host(longest, false, &a), E_TOOBIG);
	longest[108] = '\0';
	cr_expect_eq(of_host(longest, true, &a), E_TOOBIG, "no room for NUL");
	longest[107] = '\0';
	cr_expect_eq(of_host(longest, true, &a), E_OK, "as long as can be");
	cr_expect_eq(of_host((char[]){ "no.such.name.invalid" }, false, &a),
	    E_NOENT);
}

Test(addr, longest_unix_path_is_printed_whole)
{
	char text[ADDR_TEXT_MAX], path[108];
	struct addr a;

	memset(path, 'p', sizeof(path));
	path[107] = '\0';
	cr_assert_eq(of_host(path, true, &a), E_OK);
	cr_expect_eq(addr_text(&a, text), 5 + 107);
	cr_expect_str_eq(text + 5, path);
}

/* clang-format off */
static const struct {
	const char *why, *a, *b;
	bool equal, same_host;
} pairs[] = {
	{ "itself", "10.0.0.1:80", "10.0.0.1:80", true, true },
	{ "port", "10.0.0.1:80", "10.0.0.1:81", false, true },
	{ "host", "10.0.0.1:80", "10.0.0.2:80", false, false },
	{ "v6", "[::1]:80", "[::1]:80", true, true },
	{ "v6 host", "[::1]:80", "[::2]:80", false, false },
	{ "family", "127.0.0.1:80", "[::1]:80", false, false },
	{ "mapped is another address of the same host", "10.0.0.1:80",
	    "[::ffff:10.0.0.1]:80", false, true },
	{ "unix", "unix:/a", "unix:/a", true, true },
	{ "unix path; peers have no host", "unix:/a", "unix:/b", false, true },
};
/* clang-format on */

Test(addr, equal_and_same_host)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct addr a = rig_addr(pairs[i].a), b = rig_addr(pairs[i].b);

		cr_expect_eq(addr_eq(&a, &b), pairs[i].equal, "%s",
		    pairs[i].why);
		cr_expect_eq(addr_eq(&b, &a), pairs[i].equal, "%s",
		    pairs[i].why);
		cr_expect_eq(addr_host_hash(&a) == addr_host_hash(&b),
		    pairs[i].same_host, "%s", pairs[i].why);
	}
}

Test(addr, link_local_addresses_differ_by_interface)
{
	struct addr a = rig_addr("[::1]:80"), b = a;

	b.in6.sin6_scope_id = 3;
	cr_expect_not(addr_eq(&a, &b));
}

Test(addr, other_port_same_host)
{
	struct addr a = rig_addr("[::1]:80"), b = rig_addr("10.0.0.1:80"),
	            c = rig_addr("unix:/x");

	a = addr_with_port(&a, 9000);
	b = addr_with_port(&b, 9001);
	c = addr_with_port(&c, 9002);
	cr_expect_eq(addr_port(&a), 9000);
	cr_expect_eq(addr_port(&b), 9001);
	cr_expect_eq(addr_port(&c), 0, "a path has none");
}

/* clang-format off */
static const struct {
	const char *why, *cidr, *addr;
	bool has;
} blocks[] = {
	{ "one address", "10.0.0.1", "10.0.0.1:1", true },
	{ "one other", "10.0.0.1", "10.0.0.2:1", false },
	{ "whole bytes, first", "10.1.0.0/16", "10.1.0.0:1", true },
	{ "whole bytes, last", "10.1.0.0/16", "10.1.255.255:1", true },
	{ "whole bytes, beyond", "10.1.0.0/16", "10.2.0.0:1", false },
	{ "part of a byte, last", "10.0.0.0/12", "10.15.255.255:1", true },
	{ "part of a byte, beyond", "10.0.0.0/12", "10.16.0.0:1", false },
	{ "host bits are not looked at", "10.15.3.4/12", "10.1.1.1:1", true },
	{ "all of v4", "0.0.0.0/0", "192.0.2.1:1", true },
	{ "all of v4 holds no v6", "0.0.0.0/0", "[::1]:1", false },
	{ "31 bits", "192.0.2.2/31", "192.0.2.3:1", true },
	{ "31 bits, beyond", "192.0.2.2/31", "192.0.2.4:1", false },
	{ "v6", "2001:db8::/32", "[2001:db8:ffff::1]:1", true },
	{ "v6, beyond", "2001:db8::/32", "[2001:db9::1]:1", false },
	{ "v6, part of a byte", "fc00::/7", "[fd12::1]:1", true },
	{ "v6, 128 bits", "::1/128", "[::1]:1", true },
	{ "v6 without bits", "::1", "[::2]:1", false },
	{ "all of v6", "::/0", "[2001:db8::1]:1", true },
	{ "all of v6 holds no v4", "::/0", "10.0.0.1:1", false },
	{ "a mapped peer is v4", "10.0.0.0/8", "[::ffff:10.9.9.9]:1", true },
	{ "a mapped peer is no v6", "::/0", "[::ffff:10.9.9.9]:1", false },
	{ "a mapped block is v4", "::ffff:10.0.0.0/104", "10.9.9.9:1", true },
	{ "a mapped block, mapped peer", "::ffff:10.0.0.0/104",
	    "[::ffff:10.9.9.9]:1", true },
	{ "a mapped block, beyond", "::ffff:10.0.0.0/104", "11.0.0.0:1", false },
	{ "all that is mapped", "::ffff:0:0/96", "192.0.2.1:1", true },
	{ "unix peers are in no network", "0.0.0.0/0", "unix:/x", false },
	{ "unix peers", "unix", "unix:/x", true },
	{ "others are not unix", "unix", "10.0.0.1:1", false },
};
/* clang-format on */

Test(cidr, has)
{
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		struct addr a = rig_addr(blocks[i].addr);
		struct cidr c;

		cr_assert(cidr_parse(str_of(blocks[i].cidr), &c), "%s",
		    blocks[i].cidr);
		cr_expect_eq(cidr_has(&c, &a), blocks[i].has, "%s",
		    blocks[i].why);
	}
}

/* clang-format off */
static const char *const no_blocks[] = {
	"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8",
	"10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "a/8",
	"10.0.0.256", "unix/0", "Unix", "unix:", "10.0.0.0/4294967304", "[::1]", "::1%lo",
	"2001:0db8:0000:0000:0000:0000:0000:0001:0000:0000:0000:0000:0000:0000/1",
};
/* clang-format on */

Test(cidr, refuses)
{
	struct cidr c;

	for (size_t i = 0; i < ARRAY_LEN(no_blocks); i++)
		cr_expect_not(cidr_parse(str_of(no_blocks[i]), &c), "%s",
		    no_blocks[i]);
}
