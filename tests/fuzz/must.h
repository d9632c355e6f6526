/*
 * must - what has to be so, whatever the bytes are; else the fuzzer has found
 * something.
 */
#ifndef FUZZ_MUST_H
#define FUZZ_MUST_H
#include <stdio.h>
#include <stdlib.h>

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x)) {                                                    \
			(void)fprintf(stderr, "not so: %s\n", #x);             \
			abort();                                               \
		}                                                              \
	} while (0)

#endif
