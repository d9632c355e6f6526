/* Addresses: which are taken, and what becomes of them. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"

#define LABEL63                                                                \
	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static const struct {
	const char *why, *in;
	int rc;
	const char *text, *host;
	uint16_t port;
	bool is_unix;
} rows[] = {
	{ "IPv4", "127.0.0.1:8080", E_OK, "127.0.0.1:8080", "127.0.0.1", 8080,
	    false },
	{ "a name", "kc-2.example.org:80", E_OK, "kc-2.example.org:80",
	    "kc-2.example.org", 80, false },
	{ "a name in capitals", "KC.Example.ORG:80", E_OK, "kc.example.org:80",
	    "kc.example.org", 80, false },
	{ "a rooted name", "kc.svc.local.:80", E_OK, "kc.svc.local.:80",
	    "kc.svc.local.", 80, false },
	{ "underscores, as Compose has them", "my_app:80", E_OK, "my_app:80",
	    "my_app", 80, false },
	{ "IPv6", "[::1]:443", E_OK, "[::1]:443", "[::1]", 443, false },
	{ "IPv6 in another spelling", "[2001:DB8:0:0::0:1]:1", E_OK,
	    "[2001:db8::1]:1", "[2001:db8::1]", 1, false },
	{ "IPv6 with a zone", "[FE80::1%eth0]:80", E_OK, "[fe80::1%eth0]:80",
	    "[fe80::1%eth0]", 80, false },
	{ "any address, short", ":8080", E_OK, "0.0.0.0:8080", "0.0.0.0", 8080,
	    false },
	{ "any address, as others write it", "*:8080", E_OK, "0.0.0.0:8080",
	    "0.0.0.0", 8080, false },
	{ "a Unix path", "unix:/run/kc.sock", E_OK, "unix:/run/kc.sock",
	    "/run/kc.sock", 0, true },
	{ "least port", "a:1", E_OK, "a:1", "a", 1, false },
	{ "most port", "a:65535", E_OK, "a:65535", "a", 65535, false },
	{ "zeroes before a port", "a:0080", E_OK, "a:80", "a", 80, false },
	{ "longest label", LABEL63 ":1", E_OK, LABEL63 ":1", LABEL63, 1,
	    false },

	{ "nothing", "", E_SYNTAX, NULL, NULL, 0, false },
	{ "no port", "127.0.0.1", E_SYNTAX, NULL, NULL, 0, false },
	{ "only a port", "8080", E_SYNTAX, NULL, NULL, 0, false },
	{ "an empty port", "a:", E_SYNTAX, NULL, NULL, 0, false },
	{ "a named port", "a:http", E_SYNTAX, NULL, NULL, 0, false },
	{ "a negative port", "a:-1", E_SYNTAX, NULL, NULL, 0, false },
	{ "space before the port", "a: 1", E_SYNTAX, NULL, NULL, 0, false },
	{ "port 0 would be any", "a:0", E_RANGE, NULL, NULL, 0, false },
	{ "port too big", "a:65536", E_RANGE, NULL, NULL, 0, false },
	{ "port that wraps 16 bits", "a:65616", E_RANGE, NULL, NULL, 0, false },
	{ "port that wraps 64 bits", "a:18446744073709551696", E_RANGE, NULL,
	    NULL, 0, false },
	{ "IPv4 with too much", "1.2.3.4.5:80", E_SYNTAX, NULL, NULL, 0,
	    false },
	{ "IPv4 out of range", "1.2.3.256:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "IPv4 as one number", "2130706433:80", E_SYNTAX, NULL, NULL, 0,
	    false },
	{ "IPv6 without brackets", "::1:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a bracket is missing", "[::1:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "brackets around nothing", "[]:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "brackets around a name", "[kc]:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "an empty zone", "[fe80::1%]:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a zone with a slash", "[fe80::1%e/0]:80", E_SYNTAX, NULL, NULL, 0,
	    false },
	{ "no port behind brackets", "[::1]", E_SYNTAX, NULL, NULL, 0, false },
	{ "a URL", "http://a:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "user information", "u@a:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a path behind", "a:80/x", E_SYNTAX, NULL, NULL, 0, false },
	{ "a space inside", "a b:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "an empty label", "a..b:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a dot before", ".a:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a hyphen before", "-a:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a hyphen behind", "a-.b:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a label too long", LABEL63 "4:80", E_SYNTAX, NULL, NULL, 0, false },
	{ "a name too long", LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ":80",
	    E_SYNTAX, NULL, NULL, 0, false },
	{ "a relative Unix path", "unix:kc.sock", E_SYNTAX, NULL, NULL, 0,
	    false },
	{ "no Unix path", "unix:", E_SYNTAX, NULL, NULL, 0, false },
	{ "a Unix path with a control byte", "unix:/a\nb", E_SYNTAX, NULL, NULL,
	    0, false },
};

Test(addr, rows)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cfg_addr a;

		memset(&a, 0x55, sizeof(a));
		cr_expect_eq(cfg_addr_parse(str_of(rows[i].in), &a), rows[i].rc,
		    "%s", rows[i].why);
		if (rows[i].rc != E_OK) {
			cr_expect_null(a.text, "%s", rows[i].why);
			cr_expect_null(a.host, "%s", rows[i].why);
			continue;
		}
		cr_expect_str_eq(a.text, rows[i].text, "%s", rows[i].why);
		cr_expect_str_eq(a.host, rows[i].host, "%s", rows[i].why);
		cr_expect_eq(a.port, rows[i].port, "%s", rows[i].why);
		cr_expect_eq(a.is_unix, rows[i].is_unix, "%s", rows[i].why);
		cfg_addr_free(&a);
		cr_expect_null(a.text);
	}
}

/* State files and commands give back what we showed them. */
Test(addr, its_text_is_an_address)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cfg_addr a, again;

		if (rows[i].rc != E_OK)
			continue;
		cr_assert_eq(cfg_addr_parse(str_of(rows[i].text), &a), E_OK);
		cr_assert_eq(cfg_addr_parse(str_of(a.text), &again), E_OK);
		cr_expect_str_eq(again.text, a.text);
		cr_expect_str_eq(again.host, a.host);
		cfg_addr_free(&a);
		cfg_addr_free(&again);
	}
}

Test(addr, longest_unix_path)
{
	char text[128] = "unix:/";
	struct cfg_addr a;

	memset(text + 6, 'x', 106);
	cr_expect_eq(cfg_addr_parse(str_of(text), &a), E_OK, "107 bytes");
	cfg_addr_free(&a);
	text[112] = 'x';
	cr_expect_eq(cfg_addr_parse(str_of(text), &a), E_SYNTAX, "108 bytes");
}
