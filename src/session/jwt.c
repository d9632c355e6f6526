#include "session/jwt.h"

#include "base/json.h"
#include "session/base64url.h"

/* Three parts: with five it is sealed for somebody. */
static bool
is_signed(struct str rest)
{
	struct str claims = str_split(&rest, '.');

	return claims.len > 0 && rest.len > 0 && str_find(rest, '.') < 0;
}

struct str
jwt_kid(struct str token, char out[JWT_KID_MAX])
{
	struct str head = str_split(&token, '.'), kid = { out, 0 };
	uint8_t bytes[JWT_HEADER_MAX];
	struct json *json;
	ssize_t len;
	char why[1];

	if (!is_signed(token))
		return kid;
	len = base64url_read(head, bytes, sizeof(bytes));
	if (len <= 0)
		return kid;
	json = json_read(str_from((const char *)bytes, (size_t)len), why,
	    sizeof(why));
	head = str_of(json_get_text(json, "kid", ""));
	if (head.len < JWT_KID_MAX)
		kid.len = str_copy(head, out, JWT_KID_MAX);
	json_free(&json);
	return kid;
}
