/*
 * Addresses as settings.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "config/valid.h"

#define UNIX_PATH_MAX 107 /* sun_path, with its NUL */
#define HOST_MAX 255      /* [IPv6%zone] included */

/* Canonical text of "[IPv6]" or "[IPv6%zone]", so that equal ones are equal. */
static bool
fold_ipv6(struct str s, char out[HOST_MAX + 1])
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	struct str zone, ip;
	int n;

	if (s.len < 4 || s.p[0] != '[' || s.p[s.len - 1] != ']')
		return false;
	zone = str_sub(s, 1, s.len - 2);
	ip = str_split(&zone, '%');
	if (ip.len >= sizeof(text) ||
	    (zone.p != NULL && (!valid_name(zone) || zone.len > 15)))
		return false;
	str_copy(ip, text, sizeof(text));
	if (inet_pton(AF_INET6, text, bytes) != 1 ||
	    inet_ntop(AF_INET6, bytes, text, sizeof(text)) == NULL)
		return false;
	n = snprintf(out, HOST_MAX + 1, "[%s%s" STR_FMT "]", text,
	    zone.p == NULL ? "" : "%", STR_ARG(zone));
	return n > 0 && n <= HOST_MAX;
}

static bool
fold_host(struct str s, char out[HOST_MAX + 1])
{
	if (s.len == 0 || str_eq(s, STR("*"))) {
		str_copy(STR("0.0.0.0"), out, HOST_MAX + 1);
		return true;
	}
	if (s.p[0] == '[')
		return fold_ipv6(s, out);
	if (!valid_hostname(s))
		return false;
	str_copy(s, out, HOST_MAX + 1);
	for (char *c = out; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	return true;
}

static int
fill(struct cfg_addr *out, struct str host, uint16_t port)
{
	struct buf text = BUF_INIT;

	out->port = port;
	out->host = str_dup(host);
	if (out->is_unix)
		buf_printf(&text, "unix:" STR_FMT, STR_ARG(host));
	else
		buf_printf(&text, STR_FMT ":%u", STR_ARG(host), port);
	out->text = buf_take(&text);
	if (out->host != NULL && out->text != NULL)
		return E_OK;
	cfg_addr_free(out);
	return E_NOMEM;
}

static int
read_unix(struct str path, struct cfg_addr *out)
{
	if (!valid_file(path) || path.p[0] != '/' || path.len > UNIX_PATH_MAX)
		return E_SYNTAX;
	out->is_unix = true;
	return fill(out, path, 0);
}

static int
read_port(struct str s, uint16_t *out)
{
	uint64_t n;

	if (s.len == 0)
		return E_SYNTAX;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return E_SYNTAX;
	if (!str_u64(s, &n) || n == 0 || n > 65535)
		return E_RANGE;
	*out = (uint16_t)n;
	return E_OK;
}

int
cfg_addr_parse(struct str s, struct cfg_addr *out)
{
	char host[HOST_MAX + 1];
	size_t colon = s.len;
	uint16_t port;
	int rc;

	memset(out, 0, sizeof(*out));
	if (str_starts(s, STR("unix:")))
		return read_unix(str_sub(s, 5, s.len), out);
	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !fold_host(str_sub(s, 0, colon - 1), host))
		return E_SYNTAX;
	rc = read_port(str_sub(s, colon, s.len), &port);
	return rc != E_OK ? rc : fill(out, str_of(host), port);
}

void
cfg_addr_free(struct cfg_addr *a)
{
	free(a->text);
	free(a->host);
	memset(a, 0, sizeof(*a));
}
