#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "config/valid.h"
#include "config/yaml.h"

/* ---- numbers: one pair of functions a kind ---- */

bool
value_read_bool(struct str s, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "on", true }, { "off", false }, { "true", true },
		{ "false", false }, { "yes", true }, { "no", false } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_caseeq(s, str_of(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

static bool
parse_bool(struct str s, uint64_t *out)
{
	bool b;

	if (!value_read_bool(s, &b))
		return false;
	*out = b;
	return true;
}

static void
show_bool(uint64_t n, struct buf *out)
{
	buf_add_cstr(out, n != 0 ? "on" : "off");
}

static void
show_uint(uint64_t n, struct buf *out)
{
	buf_printf(out, "%llu", (unsigned long long)n);
}

#define AUTO 0 /* workers */

static bool
parse_workers(struct str s, uint64_t *out)
{
	if (!str_eq(s, STR("auto")))
		return str_u64(s, out) && *out != AUTO;
	*out = AUTO;
	return true;
}

static void
show_workers(uint64_t n, struct buf *out)
{
	if (n == AUTO)
		buf_add_cstr(out, "auto");
	else
		show_uint(n, out);
}

static bool
parse_mode(struct str s, uint64_t *out)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len > 6)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			return false;
		n = n * 8 + (uint64_t)(s.p[i] - '0');
	}
	*out = n;
	return true;
}

static void
show_mode(uint64_t n, struct buf *out)
{
	buf_printf(out, "\"%04o\"", (unsigned)n);
}

static bool
parse_clock(struct str s, uint64_t *out)
{
	struct str hour = str_split(&s, ':');
	uint64_t h, m;

	if (hour.len != 2 || s.len != 2 || !str_u64(hour, &h) ||
	    !str_u64(s, &m) || h > 23 || m > 59)
		return false;
	*out = h * 60 + m;
	return true;
}

static void
show_clock(uint64_t n, struct buf *out)
{
	buf_printf(out, "\"%02u:%02u\"", (unsigned)n / 60, (unsigned)n % 60);
}

static void
show_duration(uint64_t n, struct buf *out)
{
	char text[UNITS_MAX];

	units_duration(n, text);
	buf_add_cstr(out, text);
}

static void
show_size(uint64_t n, struct buf *out)
{
	char text[UNITS_MAX];

	units_size(n, text);
	buf_add_cstr(out, text);
}

static bool
parse_share(struct str s, uint64_t *out)
{
	uint32_t bp;

	if (!units_read_share(s, &bp))
		return false;
	*out = bp;
	return true;
}

static bool
parse_memory(struct str s, uint64_t *out)
{
	if (str_eq(s, STR("auto")))
		*out = CFG_MEMORY_AUTO;
	else if (str_eq(s, STR("off")))
		*out = CFG_MEMORY_OFF;
	else
		return units_read_size(s, out) && *out != CFG_MEMORY_AUTO;
	return true;
}

static void
show_memory(uint64_t n, struct buf *out)
{
	if (n == CFG_MEMORY_AUTO)
		buf_add_cstr(out, "auto");
	else if (n == CFG_MEMORY_OFF)
		buf_add_cstr(out, "off");
	else
		show_size(n, out);
}

static void
show_share(uint64_t n, struct buf *out)
{
	char text[UNITS_MAX];

	units_share((uint32_t)n, text);
	buf_add_cstr(out, text);
}

static bool
parse_percent(struct str s, uint64_t *out)
{
	if (str_ends(s, STR("%")))
		s.len--;
	return str_u64(s, out) && *out <= UINT32_MAX; /* more than all, too */
}

static void
show_percent(uint64_t n, struct buf *out)
{
	buf_printf(out, "%u%%", (unsigned)n);
}

/* ---- the rows: how a kind is read and shown ---- */

struct kind {
	/* numbers */
	bool (*parse)(struct str, uint64_t *);
	void (*show)(uint64_t, struct buf *);
	size_t width; /* bytes; 0: no number */
	/* texts */
	bool (*valid)(struct str);
	bool lower; /* stored in lower case */
};

/* clang-format off */
static const struct kind kinds[KEY_KIND_COUNT] = {
	[K_TEXT] = { .valid = valid_text },
	[K_WORD] = { .valid = valid_word },
	[K_NAME] = { .valid = valid_name },
	[K_LABEL] = { .valid = valid_label },
	[K_FILE] = { .valid = valid_file },
	[K_TARGET] = { .valid = valid_target },
	[K_PREFIX] = { .valid = valid_prefix },
	[K_HOST] = { .valid = valid_host },
	[K_PATTERN] = { .valid = valid_pattern, .lower = true },
	[K_TOKEN] = { .valid = valid_cookie },
	[K_SPACE] = { .valid = valid_space },
	[K_ANSWER] = { .valid = valid_answer },
	[K_SHARE_KEY] = { .valid = valid_share_key },
	[K_VALUE] = { .valid = valid_value },
	[K_CIDR] = { .valid = valid_cidr },
	[K_BOOL] = { parse_bool, show_bool, sizeof(bool), NULL, false },
	[K_UINT] = { str_u64, show_uint, sizeof(unsigned), NULL, false },
	[K_PORT] = { str_u64, show_uint, sizeof(uint16_t), NULL, false },
	[K_STATUS] = { str_u64, show_uint, sizeof(uint16_t), NULL, false },
	[K_WORKERS] = { parse_workers, show_workers, sizeof(unsigned), NULL, false },
	[K_MODE] = { parse_mode, show_mode, sizeof(unsigned), NULL, false },
	[K_DURATION] = { units_read_duration, show_duration, sizeof(uint64_t), NULL, false },
	[K_SIZE] = { units_read_size, show_size, sizeof(uint64_t), NULL, false },
	[K_MEMORY] = { parse_memory, show_memory, sizeof(uint64_t), NULL, false },
	[K_CLOCK] = { parse_clock, show_clock, sizeof(unsigned), NULL, false },
	[K_PERCENT] = { parse_percent, show_percent, sizeof(unsigned), NULL, false },
	[K_SHARE] = { parse_share, show_share, sizeof(uint32_t), NULL, false },
};
/* clang-format on */

bool
value_is_number(const struct key *k)
{
	return kinds[k->kind].width > 0;
}

void
value_show_number(const struct key *k, uint64_t n, struct buf *out)
{
	kinds[k->kind].show(n, out);
}

static void
store_number(void *at, size_t width, uint64_t n)
{
	if (width == sizeof(uint64_t))
		*(uint64_t *)at = n;
	else if (width == sizeof(uint32_t))
		*(uint32_t *)at = (uint32_t)n;
	else if (width == sizeof(uint16_t))
		*(uint16_t *)at = (uint16_t)n;
	else
		*(bool *)at = n != 0;
}

static uint64_t
load_number(const void *at, size_t width)
{
	if (width == sizeof(uint64_t))
		return *(const uint64_t *)at;
	if (width == sizeof(uint32_t))
		return *(const uint32_t *)at;
	if (width == sizeof(uint16_t))
		return *(const uint16_t *)at;
	return *(const bool *)at;
}

/* One of the words that stand beside the numbers of a kind. */
static bool
is_word(const struct key *k, uint64_t n)
{
	return (k->kind == K_WORKERS && n == AUTO) ||
	    (k->kind == K_MEMORY &&
	        (n == CFG_MEMORY_AUTO || n == CFG_MEMORY_OFF));
}

static int
read_number(const struct key *k, struct str s, void *at)
{
	uint64_t n;

	if (!kinds[k->kind].parse(s, &n))
		return E_SYNTAX;
	if (k->max > 0 && (n < k->min || n > k->max) && !is_word(k, n))
		return E_RANGE;
	store_number(at, kinds[k->kind].width, n);
	return E_OK;
}

/* ---- texts ---- */

static int
set_text(char **at, struct str s, bool lower)
{
	char *p = str_dup(s);

	if (p == NULL)
		return E_NOMEM;
	for (size_t i = 0; lower && i < s.len; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] | 0x20);
	free(*at);
	*at = p;
	return E_OK;
}

static int
read_text(const struct key *k, struct str s, char **at)
{
	const struct kind *kind = &kinds[k->kind];

	if (!kind->valid(s))
		return E_SYNTAX;
	if (k->max > 0 && s.len > k->max)
		return E_RANGE;
	return set_text(at, s, kind->lower);
}

static int
read_enum(const struct key *k, struct str s, int *at)
{
	for (int i = 0; k->names[i] != NULL; i++) {
		if (str_eq(s, str_of(k->names[i]))) {
			*at = i;
			return E_OK;
		}
	}
	return E_SYNTAX;
}

static int
read_addr(struct str s, struct cfg_addr *at)
{
	struct cfg_addr got;
	int rc = cfg_addr_parse(s, &got);

	if (rc != E_OK)
		return rc;
	cfg_addr_free(at);
	*at = got;
	return E_OK;
}

/* ---- all ---- */

int
value_read(const struct key *k, const char *text, void *at)
{
	struct str s = str_of(text);

	if (value_is_number(k))
		return read_number(k, s, at);
	if (k->kind == K_ENUM)
		return read_enum(k, s, at);
	if (k->kind == K_ADDR)
		return read_addr(s, at);
	return read_text(k, s, at);
}

void
value_show(const struct key *k, const void *at, struct buf *out)
{
	const char *text;

	if (value_is_number(k)) {
		value_show_number(k, load_number(at, kinds[k->kind].width),
		    out);
		return;
	}
	if (k->kind == K_ENUM) {
		buf_add_cstr(out, k->names[*(const int *)at]);
		return;
	}
	text = k->kind == K_ADDR ? ((const struct cfg_addr *)at)->text
	                         : *(char *const *)at;
	if (text != NULL)
		yaml_add_text(out, str_of(text));
}

void
value_free(const struct key *k, void *at)
{
	if (k->kind == K_ADDR) {
		cfg_addr_free(at);
	} else if (kinds[k->kind].valid != NULL) {
		free(*(char **)at);
		*(char **)at = NULL;
	}
}

int
value_read_field(struct cfg_field *at, const char *name, const char *value)
{
	int rc = set_text(&at->name, str_of(name), false);

	return rc == E_OK ? set_text(&at->value, str_of(value), false) : rc;
}

void
value_free_field(struct cfg_field *f)
{
	free(f->name);
	free(f->value);
	f->name = f->value = NULL;
}
