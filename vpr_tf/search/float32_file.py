"""Descriptors as a float32 `.npy` file, for libraries that read one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vpr_tf.search.search_index import Descriptors

_VALUES_PER_BLOCK = 1 << 22


@contextlib.contextmanager
def float32_file(descriptors: Descriptors) -> Iterator[Path]:
    """Gives a file of exactly these rows: their own, or else a temporary copy.

    Args:
        descriptors: Any; copied block by block.
    """
    own = npy_file_of(descriptors)
    if own is not None and descriptors.dtype == np.float32:
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="vpr_tf_descriptors_") as folder:
        path = Path(folder) / "descriptors.npy"
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file,
                {"shape": descriptors.shape, "fortran_order": False, "descr": "<f4"},
            )
            for _, rows in float32_blocks(descriptors):
                rows.tofile(file)
        yield path


def float32_blocks(descriptors: Descriptors) -> Iterator[tuple[int, np.ndarray]]:
    """Yields contiguous float32 blocks, with the row that each starts at."""
    step = max(1, _VALUES_PER_BLOCK // descriptors.shape[1])
    for start in range(0, len(descriptors), step):
        yield start, np.ascontiguousarray(descriptors[start : start + step], "<f4")


def finite_blocks(
    descriptors: Descriptors,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields float32 blocks with their first row and the squared norms of their rows.

    Raises:
        ValueError: Some are not finite, or have no finite norm; after the last block.
    """
    bad: list[int] = []
    for start, rows in float32_blocks(descriptors):
        squared_norms = np.einsum("nd,nd->n", rows, rows)
        bad += (start + np.flatnonzero(~np.isfinite(squared_norms))).tolist()
        yield start, rows, squared_norms
    if bad:
        raise ValueError(
            "`descriptors` must be finite. Received: NaN or infinity in "
            f"{len(bad)} rows, the first is {bad[0]}. Check the encoder's weights."
        )


def unmapped(descriptors: Descriptors) -> Descriptors:
    """Returns the same rows, read when asked for if they were memory-mapped.

    What is read from a mapping stays in the memory of the process.
    """
    from vpr_tf.place_index.stored_descriptors import StoredDescriptors

    if isinstance(descriptors, np.memmap) and npy_file_of(descriptors) is not None:
        return StoredDescriptors.from_memmap(descriptors)
    return descriptors


def npy_file_of(descriptors: Descriptors) -> Path | None:
    """Returns the `.npy` file that holds exactly these rows, if there is one."""
    if isinstance(descriptors, np.ndarray):
        if not (isinstance(descriptors, np.memmap) and descriptors.flags.c_contiguous):
            return None
        path = descriptors.filename
    else:
        path = getattr(descriptors, "path", None)
    if path is None or not Path(path).is_file():
        return None
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return None
    same = held.shape == descriptors.shape and held.dtype == descriptors.dtype
    return Path(path).absolute() if same and held.flags.c_contiguous else None
