"""Signs an index as it is, so that others can see whom it is from."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.place_index.layout import MANIFEST_FILE, SIGNATURE_FILE, index_path
from vpr_tf.place_index.manifest import parse_manifest
from vpr_tf.place_index.signature import Signature, SignatureError
from vpr_tf.place_index.signing_keys import read_private_key
from vpr_tf.place_index.transaction import transaction
from vpr_tf.place_index.verification import verify_state
from vpr_tf.stored_files import Progress


def sign(
    folder: Path,
    key: str | Path,
    passphrase: str | None = None,
    progress: Progress | None = None,
) -> Signature:
    """See `PlaceIndex.sign`."""
    private = read_private_key(key, passphrase)
    with transaction(folder):
        path = index_path(folder, MANIFEST_FILE)
        text = path.read_bytes()
        manifest = parse_manifest(text, path)
        problems = verify_state(folder, manifest, progress, complete=True).problems
        if problems:
            listed = "; ".join(f"{name} {text}" for name, text in problems.items())
            raise SignatureError(
                f"{folder} cannot be signed: {listed}. Restore what is damaged, move "
                "what does not belong to the index, then sign again."
            )
        signature = Signature.make(text, manifest.generation, private)
        with replace_file(index_path(folder, SIGNATURE_FILE)) as temporary:
            temporary.write_bytes(signature.text)
    return signature
