#include "session/wskey.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define RANDOM_BYTES 16

void
wskey_make(char out[WSKEY_LEN])
{
	unsigned char bytes[RANDOM_BYTES], text[WSKEY_LEN + 1];

	random_bytes(bytes, sizeof(bytes));
	EVP_EncodeBlock(text, bytes, sizeof(bytes));
	memcpy(out, text, WSKEY_LEN);
}

int
wskey_accept(const char key[WSKEY_LEN], char out[WSKEY_ACCEPT_LEN])
{
	char in[WSKEY_LEN + sizeof(GUID) - 1];
	unsigned char sum[SHA_DIGEST_LENGTH], text[WSKEY_ACCEPT_LEN + 1];

	memcpy(in, key, WSKEY_LEN);
	memcpy(in + WSKEY_LEN, GUID, sizeof(GUID) - 1);
	if (EVP_Digest(in, sizeof(in), sum, NULL, EVP_sha1(), NULL) != 1) {
		ERR_clear_error();
		return E_NOMEM;
	}
	EVP_EncodeBlock(text, sum, sizeof(sum));
	memcpy(out, text, WSKEY_ACCEPT_LEN);
	return E_OK;
}
