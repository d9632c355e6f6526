#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#define NAME_BYTES 16
#define MAC_AT 16
#define MAC_BYTES 32
#define CIPHER_AT 48
#define IV_BYTES 16

bool
tls_tickets_read(struct tls_tickets *t, struct str text)
{
	t->n = text.len / TICKET_KEY_BYTES;
	if (t->n == 0 || t->n > TICKET_KEYS_MAX ||
	    text.len % TICKET_KEY_BYTES != 0)
		return false;
	memcpy(t->keys, text.p, text.len);
	return true;
}

static unsigned char own[TICKET_KEY_BYTES];
static bool has_own;

static void
make_own(void)
{
	has_own = RAND_bytes(own, sizeof(own)) == 1;
}

bool
tls_tickets_own(struct tls_tickets *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_own);
	return has_own &&
	    tls_tickets_read(t, str_from((char *)own, sizeof(own)));
}

static bool
use_mac(EVP_MAC_CTX *mac, const unsigned char *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)(uintptr_t)(key + MAC_AT), MAC_BYTES),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int
seal(const struct tls_tickets *t, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const unsigned char *key = t->keys[0];

	if (RAND_bytes(iv, IV_BYTES) != 1 ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + CIPHER_AT,
	        iv) != 1 ||
	    !use_mac(mac, key))
		return -1;
	memcpy(name, key, NAME_BYTES);
	return 1;
}

int
tls_tickets_use(const struct tls_tickets *t, unsigned char name[16],
    unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
	if (seals)
		return seal(t, name, iv, cipher, mac);
	for (size_t i = 0; i < t->n; i++) {
		const unsigned char *key = t->keys[i];

		if (memcmp(name, key, NAME_BYTES) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL,
		        key + CIPHER_AT, iv) != 1 ||
		    !use_mac(mac, key))
			return -1;
		return i == 0 ? 1 : 2; /* 2: and a new one, of the first key */
	}
	return 0; /* a full handshake */
}
