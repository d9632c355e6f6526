"""jwt - the claims of a token, once one of the server's keys has proved to have
signed it (RS256: RFC 7515, RFC 8017 8.2.2)."""
import base64
import hashlib
import json

# RFC 8017 9.2, note 1: what stands before the bytes of a SHA-256.
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decoded(text), "big")


def padded(text, size):
    """What the signature of a text is, once the public key has opened it."""
    info = SHA256 + hashlib.sha256(text.encode()).digest()
    return b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info


def claims(token, keys):
    """keys: those of a JWKS."""
    text, _, signature = token.rpartition(".")
    head, body = (json.loads(decoded(part)) for part in text.split("."))
    key = next((k for k in keys if k["kid"] == head["kid"]), None)
    assert key is not None and head["alg"] == "RS256", (head, keys)
    n = number(key["n"])
    size = (n.bit_length() + 7) // 8
    opened = pow(number(signature), number(key["e"]), n)
    assert opened.to_bytes(size, "big") == padded(text, size), \
        "a wrong signature"
    return body
