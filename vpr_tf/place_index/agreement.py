"""What the numbers and names of a manifest must be to one another."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vpr_tf.place_index.layout import SEGMENTS_FOLDER, generation_of
from vpr_tf.search import ExactIndex

_LONGEST_CREDIT = 500


def check_counts(counts: Sequence[int], num_removed: int, num_photos: int) -> None:
    """Checks the numbers of photos.

    Args:
        counts: Rows of each segment.
        num_removed: Rows that were removed.
        num_photos: Photos that can be found.

    Raises:
        ValueError: They do not add up.
    """
    if num_photos != sum(counts) - num_removed:
        raise ValueError(
            f"it has {sum(counts)} rows and {num_removed} removed ones, which are not "
            f"{num_photos} photos"
        )


def check_names(
    segments: Sequence[str], removed_file: str | None, generation: int
) -> None:
    """Checks that segments and removed rows bear names of former changes.

    Raises:
        ValueError: One does not.
    """
    if len({*segments}) != len(segments):
        raise ValueError("a segment is named twice")
    removed = [removed_file] if removed_file else []
    for name in [*segments, *removed]:
        number = generation_of(name)
        is_segment = name.startswith(f"{SEGMENTS_FOLDER}/")
        is_past = number is not None and number <= generation
        if not is_past or is_segment == (name in removed):
            raise ValueError(f"{name[:80]!a} is no name of a former change")


def check_kinds(kind: str, of_segments: Sequence[str]) -> None:
    """Checks the search structures: photos that were added are searched exactly.

    Raises:
        ValueError: They are others.
    """
    expected = [kind, *[ExactIndex.kind] * len(of_segments)][: len(of_segments)]
    if list(of_segments) != expected:
        raise ValueError(f"kind is {kind!r}, of the segments {list(of_segments)}")


def check_encoder(file: str | None, folder: str, files: Collection[str]) -> None:
    """Checks that an encoder is of the files that are kept of it.

    Args:
        file: The encoder, a file or a folder; None if it is not kept.
        folder: Where all lie.
        files: By path relative to the index.

    Raises:
        ValueError: It is not, or a file lies elsewhere.
    """
    for name in files:
        if not name.startswith(f"{folder}/"):
            raise ValueError(f"{name[:80]!a} must lie in {folder}/")
    named = any(f"{name}/".startswith(f"{file}/") for name in files)
    if file is not None and not named:
        raise ValueError(f"{file[:80]!a} is no file of the encoder in {folder}/")


def check_credit(name: str, text: str | None) -> None:
    """Checks whom photos are from, or their licence.

    Args:
        name: `attribution` or `licence`.
        text: What it says; None if it is not known.

    Raises:
        ValueError: It is empty, long or of several lines.
    """
    if text is None:
        return
    if not text.strip() or len(text) > _LONGEST_CREDIT or not text.isprintable():
        raise ValueError(
            f"`{name}` must be one line of 1 to {_LONGEST_CREDIT} characters. "
            f"Received: {text[:80]!a}"
        )
