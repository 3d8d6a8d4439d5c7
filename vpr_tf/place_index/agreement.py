"""What the fields of a manifest must be to one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpr_tf.place_index.layout import (
    CLASSIFIER_FOLDER,
    ENCODER_FOLDER,
    SEGMENTS_FOLDER,
    generation_of,
)
from vpr_tf.search import ExactIndex
from vpr_tf.stored_paths import is_inside

if TYPE_CHECKING:
    from vpr_tf.place_index.manifest import EncoderIdentity, IndexManifest


def check_agreement(manifest: IndexManifest, dtypes: tuple[str, ...]) -> None:
    """Refuses what this program cannot have written.

    Args:
        manifest: Its types were checked.
        dtypes: Of descriptors.

    Raises:
        ValueError: Numbers, names or kinds do not agree.
    """
    _check_numbers(manifest)
    _check_names(manifest)
    _check_encoder(manifest.encoder, ENCODER_FOLDER, list(manifest.encoder_files))
    kept = manifest.classifier
    if kept is not None:
        _check_encoder(kept.encoder, CLASSIFIER_FOLDER, list(kept.files))
    if manifest.dtype not in dtypes:
        raise ValueError(f"dtype must be {' or '.join(dtypes)}, is {manifest.dtype!r}")
    dim = manifest.encoder.descriptor_dim if manifest.encoder else None
    if manifest.descriptor_dim < 1 or dim not in (None, manifest.descriptor_dim):
        raise ValueError(
            f"descriptor_dim is {manifest.descriptor_dim}, that of the encoder {dim}"
        )
    kinds = [segment.kind for segment in manifest.segments]
    if kinds and kinds != [manifest.kind, *[ExactIndex.kind] * (len(kinds) - 1)]:
        raise ValueError(
            f"kind is {manifest.kind!r}, those of the segments are {kinds}"
        )


def _check_numbers(manifest: IndexManifest) -> None:
    sizes = [file.num_bytes for file in manifest.files().values()]
    counts = [segment.num_rows for segment in manifest.segments]
    removed, generation = manifest.num_removed, manifest.generation
    smallest = min([*counts, *sizes, removed, manifest.num_photos, generation])
    if smallest < 0:
        raise ValueError(f"a number of photos, bytes or changes is {smallest}")
    if manifest.num_photos != sum(counts) - removed:
        raise ValueError(
            f"num_photos is {manifest.num_photos}, but the segments hold {sum(counts)} "
            f"photos, of which {removed} were removed"
        )
    has_file = manifest.removed_file is not None, manifest.removed is not None
    if has_file != (removed > 0,) * 2:
        raise ValueError(f"num_removed is {removed} and removed_file is {has_file[0]}")
    recall = manifest.recall
    if recall is not None:
        shares = recall.recall_at_1, recall.recall_at_10
        if not all(0 <= share <= 1 for share in shares) or recall.num_queries < 0:
            raise ValueError(f"recall is {recall}")


def _check_names(manifest: IndexManifest) -> None:
    folders = [segment.folder for segment in manifest.segments]
    if len({*folders}) != len(folders):
        raise ValueError("a segment is named twice")
    removed = [manifest.removed_file] if manifest.removed_file else []
    for name in [*folders, *removed]:
        number = generation_of(name)
        is_segment = name.startswith(f"{SEGMENTS_FOLDER}/")
        is_past = number is not None and number <= manifest.generation
        if not is_past or is_segment == (name in removed):
            raise ValueError(f"{name[:80]!a} is no name of a former change")
    for name in manifest.files():
        if not is_inside(name):
            raise ValueError(f"{name[:80]!a} is no path inside the index")


def _check_encoder(
    encoder: EncoderIdentity | None, folder: str, files: list[str]
) -> None:
    for name in files:
        if not name.startswith(f"{folder}/"):
            raise ValueError(f"{name[:80]!a} must lie in {folder}/")
    file = encoder.file if encoder is not None else None
    named = any(f"{name}/".startswith(f"{file}/") for name in files)
    if file is not None and not named:
        raise ValueError(f"{file[:80]!a} is no file of the encoder in {folder}/")
