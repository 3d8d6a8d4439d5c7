"""The signature beside a manifest, which has the sha256 of every other file.

It says whom an index is from: checksums are made anew by whoever alters a folder.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.place_index.layout import MANIFEST_FILE, SIGNATURE_FILE
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.signing_keys import fingerprint
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import StoredValueError, from_stored, parse_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

# No signature of something else that the same key signs is one of an index.
_PURPOSE = b"vpr_tf index manifest 1\0"
_MOST_BYTES = 4096


class SignatureError(IndexMismatchError):
    """An index that the owner of a key did not sign as it is."""


@dataclass(frozen=True)
class Signature:
    """What the signature file says.

    Attributes:
        key: Fingerprint of the public key.
        generation: Of the index when it was signed.
        signature: Of the manifest's bytes, in base64.
    """

    key: str
    generation: int
    signature: str

    @classmethod
    def make(cls, text: bytes, generation: int, key: Ed25519PrivateKey) -> Signature:
        """Signs the bytes of a manifest."""
        raw = key.sign(_PURPOSE + text)
        return cls(fingerprint(key.public_key()), generation, _base64(raw))

    @property
    def text(self) -> bytes:
        """The content of the file."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"


def check_signature(
    folder: Path, text: bytes, manifest: IndexManifest, key: Ed25519PublicKey
) -> str:
    """Sees that the owner of a key signed a manifest.

    Args:
        folder: The index.
        text: Of the manifest, the very bytes that `manifest` was read from.
        manifest: The state.
        key: By which the signature is checked.

    Returns:
        The fingerprint of the key.

    Raises:
        SignatureError: There is no signature, or none of these bytes by this key.
    """
    from cryptography.exceptions import InvalidSignature

    signature, content = _read_signature(folder)
    name = fingerprint(key)
    if signature.key != name:
        raise SignatureError(
            f"{folder} was signed with another key: {signature.key[:80]!a}. Received: "
            f"{name}. Pass the public key of whoever signed it, if you trust them."
        )
    raw = base64.b64decode(signature.signature)
    try:
        key.verify(raw, _PURPOSE + text)
    except InvalidSignature:
        if signature.generation != manifest.generation:
            raise SignatureError(
                f"{folder} was changed after it was signed: it was signed at "
                f"generation {signature.generation}, and is at {manifest.generation}. "
                "Use a copy of what was signed, or have this state signed."
            ) from None
        raise SignatureError(
            f"{folder} is not what was signed: its {MANIFEST_FILE} is another. Use a "
            "copy of what was signed."
        ) from None
    if content != Signature(name, manifest.generation, _base64(raw)).text:
        raise _garbled(folder, "its fields are not as they were written")
    return name


def _read_signature(folder: Path) -> tuple[Signature, bytes]:
    try:
        with inside(folder, SIGNATURE_FILE).open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        raise SignatureError(
            f"{folder} is not signed: it has no {SIGNATURE_FILE}. Ask whoever made it "
            "to sign it by `vpr index sign`, or leave the key out if you trust it as "
            "it is."
        ) from None
    try:
        signature = from_stored(Signature, parse_json(content))
        base64.b64decode(signature.signature, validate=True)
    except StoredValueError as error:
        raise _garbled(folder, str(error)) from error
    except ValueError as error:
        raise _garbled(folder, f"`signature` is no base64: {error}") from error
    return signature, content


def _garbled(folder: Path, reason: str) -> SignatureError:
    return SignatureError(
        f"{folder / SIGNATURE_FILE} is damaged: {reason}. Restore it from a copy, or "
        "have the index signed again."
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
