"""Ed25519 keys in PEM files, as `openssl genpkey -algorithm ed25519` writes them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.search import RetrievalError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_MOST_BYTES = 1 << 16
_REMEDY = (
    "Make a pair by `openssl genpkey -algorithm ed25519 -out private.pem` and "
    "`openssl pkey -in private.pem -pubout -out public.pem`."
)


class SigningKeyError(RetrievalError):
    """A file that is not the key that is needed."""


class PassphraseError(SigningKeyError):
    """A private key that is locked by another passphrase, or by one at all."""


def read_private_key(
    path: str | Path, passphrase: str | None = None
) -> Ed25519PrivateKey:
    """Reads the key that signs.

    Raises:
        ImportError: The extra `sign` is not installed.
        OSError: The file cannot be read.
        SigningKeyError: It is not a private Ed25519 key in PEM.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    library = _library()
    content = _read(path)
    if b"PUBLIC KEY-----" in content:
        raise SigningKeyError(
            f"{path} must be a private key, with which one signs. Received: a public "
            "key. Pass the file that it was made from."
        )
    password = passphrase.encode() if passphrase else None
    if b"ENCRYPTED" in content and password is None:
        raise PassphraseError(
            f"{path} is locked. Pass its passphrase, for which `vpr index sign` asks "
            "in a terminal."
        )
    try:
        key = library.load_pem_private_key(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if password is not None:
            raise PassphraseError(
                f"{path} cannot be unlocked: it is damaged, or its passphrase is "
                "another. Pass the passphrase that it was made with."
            ) from None
        raise _no_key(path, "private") from None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not isinstance(key, Ed25519PrivateKey):
        raise _other_kind(path, key)
    return key


def read_public_key(path: str | Path) -> Ed25519PublicKey:
    """Reads the key by which a signature is checked.

    Raises:
        ImportError: The extra `sign` is not installed.
        OSError: The file cannot be read.
        SigningKeyError: It is not a public Ed25519 key in PEM.
    """
    library = _library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    content = _read(path)
    if b"PRIVATE KEY-----" in content:
        raise SigningKeyError(
            f"{path} must be a public key, by which a signature is checked. Received: "
            "a private key. Never hand it on; make the public key by `openssl pkey -in "
            f"{path} -pubout`."
        )
    try:
        key = library.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key(path, "public") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _other_kind(path, key)
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Returns the name of a key: the sha256 of its DER form, in hexadecimal."""
    library = _library()
    der = key.public_bytes(
        library.Encoding.DER, library.PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise ImportError(
            f"Signatures need the library cryptography ({error}). Install it by `pip "
            "install 'vpr_tf[sign]'`."
        ) from error
    return serialization


def _read(path: str | Path) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_MOST_BYTES)


def _no_key(path: str | Path, which: str) -> SigningKeyError:
    return SigningKeyError(
        f"{path} must be a {which} Ed25519 key in PEM. Received: no such key. {_REMEDY}"
    )


def _other_kind(path: str | Path, key: Any) -> SigningKeyError:
    kind = type(key).__name__.strip("_")
    return SigningKeyError(
        f"{path} must be an Ed25519 key. Received: {kind}. {_REMEDY}"
    )
