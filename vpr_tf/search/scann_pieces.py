"""A ScaNN index of codes alone, made piece by piece in little memory.

ScaNN holds all descriptors as float32 while it builds. Here it makes the centres of
leaves and codes from a sample, and with these the leaves and codes of one piece of the
rows after another. Each row's are what a build of all rows at once gives with the same
centres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import scratch_folder
from vpr_tf.search.descriptor_file import float32_file, unmapped
from vpr_tf.search.descriptors import Descriptors
from vpr_tf.search.index_settings import ScannSettings
from vpr_tf.search.scann_files import (
    CODES,
    LEAVES,
    SECOND_CODES,
    array_header,
    centres_assets,
    checked_assets,
    dataset_asset,
)
from vpr_tf.search.scann_library import CONFIG_FILE, ScannLibrary
from vpr_tf.stored_files import read_npy

_PIECE_VALUES = 1 << 28  # 1 GiB as float32: 524,288 descriptors of 512 values


def comes_in_pieces(descriptors: Descriptors, settings: ScannSettings) -> bool:
    """Whether an index is built piece by piece: a large one, of codes alone."""
    is_large = math.prod(descriptors.shape) > _PIECE_VALUES
    return is_large and settings.reorder == "memory_mapped"


def searcher_of_pieces(
    descriptors: Descriptors,
    config: bytes,
    settings: ScannSettings,
    library: ScannLibrary,
) -> Any:
    """Builds a searcher with one piece of the descriptors in memory at a time.

    Args:
        descriptors: The database.
        config: A serialized ScannConfig message.
        settings: What it was made of.
        library: ScaNN.
    """
    rows, step = unmapped(descriptors), max(1, _PIECE_VALUES // descriptors.shape[1])
    size = min(settings.training_sample, len(rows))
    sample = np.random.default_rng(0).choice(len(rows), size, replace=False)
    with scratch_folder("scann") as folder:
        trained, pieces = folder / "trained", []
        _code(rows[np.sort(sample)], trained, config, "", library)
        centres = centres_assets(trained, settings)
        for start in range(0, len(rows), step):
            piece = folder / f"from_{start}"
            _code(rows[start : start + step], piece, config, centres, library)
            pieces.append(_arrays_of(piece, settings))
        # The arrays of the sample give way to those of all rows.
        for name, parts in zip(
            _names(settings), zip(*pieces, strict=True), strict=True
        ):
            _write_joined(trained / f"{name}.npy", parts)
        assets = checked_assets(trained, descriptors.shape, settings, library)
        return library.open_searcher(trained, assets)


def _code(
    rows: np.ndarray, folder: Path, config: bytes, centres: str, library: ScannLibrary
) -> None:
    """Writes what ScaNN makes of rows, with these centres if any."""
    folder.mkdir()
    (folder / CONFIG_FILE).write_bytes(config)
    with float32_file(rows) as path:
        assets = f"{centres}\n{dataset_asset(path)}"
        searcher = library.open_searcher(folder, assets)
    searcher.serialize(str(folder), relative_path=True)


def _names(settings: ScannSettings) -> list[str]:
    has_tree, has_soar = settings.structure == "tree", bool(settings.soar_lambda)
    return [CODES, *[LEAVES][:has_tree], *[SECOND_CODES][:has_soar]]


def _arrays_of(folder: Path, settings: ScannSettings) -> list[np.ndarray]:
    """Opens the arrays of a piece."""
    paths = [folder / f"{name}.npy" for name in _names(settings)]
    arrays = [read_npy(path) for path in paths if path.exists()]
    if len(arrays) < len(paths):  # no row of the piece has a second leaf
        arrays.append(np.zeros_like(arrays[0]))
    return arrays


def _write_joined(path: Path, parts: Sequence[np.ndarray]) -> None:
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    with path.open("wb") as file:
        file.write(array_header(parts[0].dtype.str.replace("|", "<"), shape))
        for part in parts:
            part.tofile(file)
