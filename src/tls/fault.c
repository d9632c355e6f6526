#include "tls/fault.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define X(id, name, text) [TLS_FAULT_##id] = { (name), (text) },
static const struct {
	const char *name, *text;
} faults[] = { TLS_FAULTS(X) };
#undef X

const char *
tls_fault_name(enum tls_fault f)
{
	return faults[f].name;
}

const char *
tls_fault_text(enum tls_fault f)
{
	return faults[f].text;
}

/* Reasons of libssl; alerts of the peer are 1000 and their number. */
static const struct {
	int reason;
	enum tls_fault fault;
} rows[] = {
	{ SSL_R_HTTP_REQUEST, TLS_FAULT_PLAIN_HTTP },
	{ SSL_R_HTTPS_PROXY_REQUEST, TLS_FAULT_PLAIN_HTTP },
	{ SSL_R_WRONG_VERSION_NUMBER, TLS_FAULT_GARBAGE },
	{ SSL_R_UNKNOWN_PROTOCOL, TLS_FAULT_GARBAGE },
	{ SSL_R_BAD_RECORD_TYPE, TLS_FAULT_GARBAGE },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, TLS_FAULT_GARBAGE },
	{ SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAULT_VERSION },
	{ SSL_R_VERSION_TOO_LOW, TLS_FAULT_VERSION },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TLS_FAULT_VERSION },
	{ SSL_R_NO_SHARED_CIPHER, TLS_FAULT_CIPHER },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, TLS_FAULT_CIPHER },
	{ SSL_R_NO_SUITABLE_GROUPS, TLS_FAULT_CIPHER },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_FAULT_CIPHER },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_FAULT_CIPHER },
	{ SSL_R_NO_APPLICATION_PROTOCOL, TLS_FAULT_ALPN },
	{ SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, TLS_FAULT_ALPN },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, TLS_FAULT_REJECTED },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, TLS_FAULT_REJECTED },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, TLS_FAULT_REJECTED },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, TLS_FAULT_REJECTED },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, TLS_FAULT_REJECTED },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, TLS_FAULT_REJECTED },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAULT_NO_CERTIFICATE },
	{ SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_FAULT_CERTIFICATE },
	{ ERR_R_MALLOC_FAILURE, TLS_FAULT_MEMORY },
};

enum tls_fault
tls_fault_take(void)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	enum tls_fault fault = TLS_FAULT_PROTOCOL;

	if (reason > SSL_AD_REASON_OFFSET &&
	    reason < SSL_AD_REASON_OFFSET + 256)
		fault = TLS_FAULT_ALERT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].reason == reason)
			fault = rows[i].fault;
	ERR_clear_error();
	return fault;
}

const char *
tls_fault_say(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e == 0 ? NULL : ERR_reason_error_string(e);

	ERR_clear_error();
	return text == NULL ? "it is not usable" : text;
}
