"""What an index folder holds: the one file that says so."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import replace_file
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import Calibration, read_reranked, read_stored
from vpr_tf.place_index.agreement import (
    check_counts,
    check_credit,
    check_encoder,
    check_kinds,
    check_names,
)
from vpr_tf.place_index.layout import (
    CLASSIFIER_FOLDER,
    ENCODER_FOLDER,
    MANIFEST_FILE,
    index_path,
)
from vpr_tf.place_index.manifest_parts import (
    EncoderIdentity,
    KeptClassifier,
    KeptLocalFeatures,
    RecallReport,
    Segment,
)
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import StoredFile, fsync
from vpr_tf.stored_paths import is_inside
from vpr_tf.stored_values import from_stored, parse_json

FORMAT_VERSION = 1
# Of an index that keeps a classifier, which programs of version 1 do not know.
CLASSIFIER_FORMAT_VERSION = 2
# Of an index of descriptors alone, which older programs cannot open.
NO_ENCODER_FORMAT_VERSION = 3
# Of an index that says whom its photos are from, which older programs would not say.
CREDIT_FORMAT_VERSION = 4
# Of an index that keeps key points, which older programs would not add to.
LOCAL_FORMAT_VERSION = 5
_VERSIONS = (1, 2, 3, CREDIT_FORMAT_VERSION, LOCAL_FORMAT_VERSION)
METRIC = "squared_l2"
DTYPES = ("float32", "float16")
STORED = "stored"  # as many cells of the classifier as the index says
RESTORE = "Restore it from a copy of the folder, or build the index again."
_COMPACT_ABOVE_SHARE = 0.1


@dataclass(frozen=True)
class IndexManifest:
    """One state of an index.

    Attributes:
        kind: Search structure of the first segment; photos added later are searched
            exactly until `compact`.
        settings: Of the search structure, as given; None for what suits the size.
        descriptor_dim: Length of a descriptor.
        dtype: Of the stored descriptors, float32 or float16.
        encoder: The encoder of the descriptors; None where it is not known.
        encoder_files: Its files, by path relative to the index.
        segments: In the order of the rows.
        removed_file: Array of the rows that were removed; None if there are none.
        removed: Its checksums.
        num_photos: Photos that can be found.
        num_removed: Rows that were removed and still take space.
        generation: Number of changes since the index was created.
        recall: Measured after the last change; None if not measured.
        localization: Settings and calibration of `vpr_tf.localization`.
        classifier: Heads that are kept to narrow searches; None without.
        attribution: Whom the photos are from; None where it is not known.
        licence: Under which they may be used; likewise.
        local_features: What found the key points of the photos; None where none are
            kept.
        format_version: Of this file; 1 with an encoder and nothing else that is
            optional.
        metric: Of the distances.
    """

    kind: str
    settings: dict[str, Any] | None
    descriptor_dim: int
    dtype: str
    encoder: EncoderIdentity | None
    encoder_files: dict[str, StoredFile]
    segments: tuple[Segment, ...]
    removed_file: str | None
    removed: StoredFile | None
    num_photos: int
    num_removed: int
    generation: int
    recall: RecallReport | None = None
    localization: dict[str, Any] | None = None
    classifier: KeptClassifier | None = None
    attribution: str | None = None
    licence: str | None = None
    local_features: KeptLocalFeatures | None = None
    format_version: int = field(default=FORMAT_VERSION)
    metric: str = field(default=METRIC)

    @property
    def encoder_fingerprint(self) -> str:
        """Of the encoder; empty where it is not known."""
        return self.encoder.fingerprint if self.encoder else ""

    @property
    def encoder_description(self) -> str:
        """Of the encoder, for people."""
        return self.encoder.description if self.encoder else "not known"

    @functools.cached_property
    def localization_settings(self) -> tuple[LocalizationConfig, Calibration | None]:
        """How matches become a position, and the calibration for that.

        Raises:
            LocalizationError: They are damaged, or of another encoder.
        """
        return read_stored(self.localization, self.encoder_fingerprint)

    @functools.cached_property
    def reranked_calibration(self) -> Calibration | None:
        """The calibration of re-ranked matches; None without.

        Raises:
            LocalizationError: It is damaged, or of another encoder.
        """
        return read_reranked(self.localization, self.encoder_fingerprint)

    @property
    def num_rows(self) -> int:
        """Rows of all segments, removed ones too."""
        return sum(segment.num_rows for segment in self.segments)

    @property
    def unmerged_share(self) -> float:
        """Share of the rows that `compact` would move or drop."""
        added = sum(segment.num_rows for segment in self.segments[1:])
        return (added + self.num_removed) / max(1, self.num_rows)

    @property
    def advice(self) -> str | None:
        """What should be done next; None if nothing."""
        if self.unmerged_share <= _COMPACT_ABOVE_SHARE:
            return None
        return (
            f"{self.unmerged_share:.0%} of the rows were added or removed since the "
            "search structure was built. Compact the index for the full speed."
        )

    @property
    def num_bytes(self) -> int:
        """Size of all files."""
        return sum(file.num_bytes for file in self.files().values())

    def files(self) -> dict[str, StoredFile]:
        """Returns every file but the manifest, by path relative to the index."""
        files = {
            f"{segment.folder}/{name}": file
            for segment in self.segments
            for name, file in segment.files.items()
        }
        if self.removed_file and self.removed:
            files[self.removed_file] = self.removed
        files |= self.encoder_files
        return files | (self.classifier.files if self.classifier else {})


def write_manifest(folder: Path, manifest: IndexManifest) -> None:
    """Puts a new state in place of the old one, at once.

    Raises:
        ValueError: The settings or the localization are not JSON.
    """
    content = dataclasses.asdict(manifest)
    if manifest.encoder is not None:
        content["encoder"] = manifest.encoder.to_dict()
    if manifest.classifier is None:
        del content["classifier"]
    else:
        own = manifest.classifier.encoder
        content["classifier"]["encoder"] = None if own is None else own.to_dict()
    for name in ("attribution", "licence", "local_features"):
        if content[name] is None:  # as before there were any
            del content[name]
    content["format_version"] = _version_of(manifest)
    content["sha256"] = _fingerprint(content)
    fsync(folder)  # the names of new files, before anything refers to them
    with replace_file(folder / MANIFEST_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    fsync(folder)


def read_manifest(folder: Path) -> IndexManifest:
    """Reads the state of an index.

    Raises:
        IndexMismatchError: There is none, or it is damaged or was edited.
    """
    path = index_path(folder, MANIFEST_FILE)
    try:
        return parse_manifest(path.read_bytes(), path)
    except OSError as error:
        raise no_manifest(folder, error) from error


def no_manifest(folder: Path, error: OSError) -> IndexMismatchError:
    """Returns the error of a folder whose manifest cannot be read."""
    return IndexMismatchError(
        f"No index at {folder}: {MANIFEST_FILE} cannot be read ({error.strerror}). "
        "Build one with `vpr index build`."
    )


def unreadable(error: OSError, folder: Path) -> IndexMismatchError:
    """Returns the error of a file that is missing or cannot be read."""
    return IndexMismatchError(
        f"{error.filename or folder} cannot be read: {error.strerror}. {RESTORE}"
    )


def parse_manifest(text: bytes, path: Path) -> IndexManifest:
    """Reads the text of a manifest; `path` is for messages.

    Raises:
        IndexMismatchError: It is damaged or was edited.
    """
    try:
        content = parse_json(text)
        version = content["format_version"]
        stored = content.pop("sha256")
        computed = _fingerprint(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IndexMismatchError(
            f"{path} is damaged, it is not the JSON that was written: {error!r}. "
            f"{RESTORE}"
        ) from error
    if version not in _VERSIONS:
        raise IndexMismatchError(
            f"{path} has format_version {version!r}; this program reads "
            f"{', '.join(map(str, _VERSIONS))}. Build the index again."
        )
    if computed != stored:
        raise IndexMismatchError(
            f"{path} was edited by hand or is damaged: its sha256 is not that of its "
            "content. Undo the edit, or restore the file from a copy; change an index "
            "with `vpr index` or `PlaceIndex`."
        )
    try:
        return _from_content(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexMismatchError(
            f"{path} is damaged, though its checksum fits: {error}. {RESTORE}"
        ) from error


def _fingerprint(content: dict[str, Any]) -> str:
    canonical = json.dumps(
        content, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _from_content(content: dict[str, Any]) -> IndexManifest:
    """Makes the manifest of its JSON values, every type checked."""
    content = dict(content)
    content["encoder"] = _nested(content["encoder"])
    if content.get("classifier") is not None:
        own = content["classifier"]
        content["classifier"] = {**own, "encoder": _nested(own["encoder"])}
    manifest = from_stored(IndexManifest, content)
    if manifest.metric != METRIC or manifest.format_version != _version_of(manifest):
        version = manifest.format_version
        raise ValueError(f"metric is {manifest.metric!r}, format_version is {version}")
    _check_agreement(manifest)
    return manifest


def _check_agreement(manifest: IndexManifest) -> None:
    """Refuses what this program cannot have written.

    Raises:
        ValueError: Numbers, names or kinds do not agree.
    """
    segments, removed = manifest.segments, manifest.num_removed
    counts = [segment.num_rows for segment in segments]
    sizes = [file.num_bytes for file in manifest.files().values()]
    smallest = min(*counts, *sizes, removed, manifest.num_photos, manifest.generation)
    if smallest < 0:
        raise ValueError(f"a number of photos, bytes or changes is {smallest}")
    check_counts(counts, removed, manifest.num_photos)
    held = manifest.removed_file is not None, manifest.removed is not None
    if held != (removed > 0, removed > 0):
        raise ValueError(f"num_removed is {removed} and removed_file is {held[0]}")
    folders = [segment.folder for segment in segments]
    check_names(folders, manifest.removed_file, manifest.generation)
    check_kinds(manifest.kind, [segment.kind for segment in segments])
    for name in manifest.files():
        if not is_inside(name):
            raise ValueError(f"{name[:80]!a} is no path inside the index")
    encoder, kept = manifest.encoder, manifest.classifier
    file = encoder.file if encoder else None
    check_encoder(file, ENCODER_FOLDER, manifest.encoder_files)
    if kept is not None:
        file = kept.encoder.file if kept.encoder else None
        check_encoder(file, CLASSIFIER_FOLDER, kept.files)
    check_credit("attribution", manifest.attribution)
    check_credit("licence", manifest.licence)
    if manifest.dtype not in DTYPES:
        raise ValueError(f"dtype must be {' or '.join(DTYPES)}, is {manifest.dtype!r}")
    dims = {manifest.descriptor_dim} | ({encoder.descriptor_dim} if encoder else set())
    if len(dims) > 1 or min(dims) < 1:
        raise ValueError(f"descriptor_dim is {manifest.descriptor_dim}, of {dims}")
    recall = manifest.recall
    shares = (recall.recall_at_1, recall.recall_at_10) if recall else ()
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"recall is {recall}")


def _version_of(manifest: IndexManifest) -> int:
    if manifest.local_features is not None:
        return LOCAL_FORMAT_VERSION
    if manifest.attribution is not None or manifest.licence is not None:
        return CREDIT_FORMAT_VERSION
    if manifest.encoder is None:
        return NO_ENCODER_FORMAT_VERSION
    return CLASSIFIER_FORMAT_VERSION if manifest.classifier else FORMAT_VERSION


def _nested(encoder: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns an encoder as its dataclass has it, the preprocessing by itself."""
    if encoder is None:
        return None
    return dataclasses.asdict(EncoderIdentity.from_dict(encoder))
