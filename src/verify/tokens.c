#include "verify/tokens.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/str.h"

#define SECRET_BYTES 32

/* In place: base64 as OpenSSL writes it becomes base64url (RFC 4648 5). */
static void
make_url_safe(char *text)
{
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
			*p = '\0';
	}
}

static void
write_bytes(const unsigned char bytes[SECRET_BYTES],
    char out[TOKENS_SECRET_MAX])
{
	unsigned char padded[4 * ((SECRET_BYTES + 2) / 3) + 1];

	(void)EVP_EncodeBlock(padded, bytes, SECRET_BYTES);
	make_url_safe((char *)padded);
	memcpy(out, padded, TOKENS_SECRET_MAX);
}

void
tokens_secret(char out[TOKENS_SECRET_MAX])
{
	unsigned char bytes[SECRET_BYTES];

	random_bytes(bytes, sizeof(bytes));
	write_bytes(bytes, out);
}

bool
tokens_challenge(const char *verifier, char out[TOKENS_SECRET_MAX])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_Digest(verifier, strlen(verifier), hash, &len, EVP_sha256(),
	        NULL) != 1 ||
	    len != SECRET_BYTES)
		return false;
	write_bytes(hash, out);
	return true;
}

static bool
decode(struct str text, struct buf *out)
{
	size_t padded = (text.len + 3) / 4 * 4;
	unsigned char *in = malloc(padded + 1), *plain = malloc(padded + 1);
	int n = -1;

	if (in != NULL && plain != NULL) {
		memset(in, '=', padded);
		for (size_t i = 0; i < text.len; i++)
			in[i] = text.p[i] == '-' ? '+'
			    : text.p[i] == '_'   ? '/'
			                         : (unsigned char)text.p[i];
		n = EVP_DecodeBlock(plain, in, (int)padded);
	}
	if (n >= 0)
		buf_add(out, plain, (size_t)n - (padded - text.len));
	free(in);
	free(plain);
	return n >= 0 && !out->failed;
}

bool
tokens_claims(const char *jwt, struct buf *out)
{
	struct str rest = str_of(jwt), claims;

	buf_reset(out);
	(void)str_split(&rest, '.'); /* the head */
	claims = str_split(&rest, '.');
	return rest.p != NULL && claims.len > 0 && claims.len % 4 != 1 &&
	    claims.len < ((size_t)1 << 20) && decode(claims, out);
}
