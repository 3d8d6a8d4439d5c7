"""What commands ask of classifiers, which stand on retrieval and are handed to them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from vpr_tf.config import ExperimentConfig
from vpr_tf.photos.photo_files import PhotoFiles
from vpr_tf.place_index import (
    EncoderIdentity,
    KeptClassifier,
    PlaceIndex,
)
from vpr_tf.search import CellFilter

STORED = "stored"


class IndexClassifiers(Protocol):
    """Keeps classifiers in index folders, and opens them."""

    def keep(
        self,
        config: ExperimentConfig,
        model: str | Path,
        own: EncoderIdentity,
        folder: Path,
    ) -> KeptClassifier:
        """Writes all of a classifier that an index needs, into a new folder."""

    def best_cells(
        self, index: PlaceIndex, cells: int | str | None, photos: PhotoFiles
    ) -> CellFilter | None:
        """Returns what restricts a search of an index for photos; None if nothing.

        Args:
            index: The index.
            cells: How many cells are searched, None for all, or `stored`: as many as
                the index says.
            photos: The queries.
        """


def add_cells(parser: argparse.ArgumentParser) -> None:
    """Adds the option to a command."""
    parser.add_argument(
        "--cells",
        type=_parse_cells,
        default=STORED,
        metavar="K",
        help="search only the K best cells of the index's classifier, or `all`; "
        "default: as many as the index was built for",
    )


def _parse_cells(text: str) -> int | str | None:
    if text in ("all", STORED):
        return None if text == "all" else STORED
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(
            f"must be `all` or a whole number of 1 or more. Received: {text!r}"
        )
    return int(text)
