"""Secrets that must be read again later are stored sealed: AES-256-GCM, bound to their row.

`context` names the row; text sealed for one row can't be opened as another's. The first of
`settings.ENCRYPTION_KEYS` seals, all of them open, so that a key can be replaced.
"""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_VERSION = b"\x01"
_NONCE_BYTES = 12


class Unreadable(Exception):
    """Sealed with a key that this installation no longer has, for another row, or damaged."""


def seal(text: str, *, context: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _cipher(settings.ENCRYPTION_KEYS[0]).encrypt(nonce, text.encode(), context.encode())
    return _VERSION + nonce + sealed


def unseal(sealed: bytes | memoryview, *, context: str) -> str:
    """Raises Unreadable."""
    data = bytes(sealed)
    version, nonce, rest = data[:1], data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    if version != _VERSION or len(nonce) != _NONCE_BYTES:
        raise Unreadable
    for key in settings.ENCRYPTION_KEYS:
        try:
            return _cipher(key).decrypt(nonce, rest, context.encode()).decode()
        except InvalidTag:
            continue
    raise Unreadable


@lru_cache(maxsize=16)
def _cipher(key: str) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"kalas.crypto").derive(
        key.encode()
    )
    return AESGCM(derived)
