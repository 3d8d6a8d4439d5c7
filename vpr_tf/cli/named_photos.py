"""Photos that a command line names, and their descriptors."""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.output import print_left_out
from vpr_tf.photos import PhotoFiles, PhotoSourceError, scan_named_photos

if TYPE_CHECKING:
    from vpr_tf.extraction import DescribedPhotos, FeatureExtractor


def named_photos(words: Sequence[str]) -> PhotoFiles:
    """Finds the photos of files, folders and patterns such as `trip/*.jpg`.

    Raises:
        PhotoSourceError: There are none.
    """
    files = scan_named_photos(expanded(words))
    print_left_out(files)
    if not len(files) and not files.rejected:
        raise PhotoSourceError(f"No photos in {', '.join(words)}. Name others.")
    return files


def describe(files: PhotoFiles, extractor: FeatureExtractor) -> DescribedPhotos:
    """Describes photos, with a progress bar where it is of use."""
    progress = sys.stderr.isatty() and len(files) > 1
    return extractor.extract_files(files, progress=progress)


def expanded(words: Sequence[str]) -> list[str]:
    """Returns files and folders, those of patterns that the shell left as they are."""
    found: list[str] = []
    for word in words:
        if Path(word).exists() or not glob.has_magic(word):
            found.append(word)
        else:
            of_pattern = glob.glob(word, recursive=True)  # noqa: PTH207 - of any folder
            found += sorted(of_pattern) or [word]
    return found
