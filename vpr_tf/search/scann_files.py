"""The files of a ScaNN index, checked before ScaNN reads them.

ScaNN trusts its files: one with other shapes or row numbers than it wrote ends the
process. So each file must be, byte for byte, one that ScaNN would write for the shape
of the descriptors and the settings, whatever its values; and only files that belong to
these settings are named to ScaNN, not those that a file in the folder names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.search.index_settings import ScannSettings
from vpr_tf.search.scann_library import CONFIG_FILE, ScannLibrary
from vpr_tf.stored_files import read_npy
from vpr_tf.stored_paths import StoredPathError, inside

# Leaves are centred for large products rather than small distances. With 632 leaves of
# 100,000 descriptors this finds in 25 leaves what else takes 32, at no cost.
_LEAF_ANISOTROPY = 2.0
_CENTRES_PER_BLOCK = 16
_PRODUCT, _DISTANCE = "dot_product", "squared_l2"
_CODEBOOK, _TREE = "ah_codebook.pb", "serialized_partitioner.pb"
LEAVES, CODES, SECOND_CODES = (
    "datapoint_to_token",
    "hashed_dataset",
    "hashed_dataset_soar",
)
_NO_LEAF = -1
_NO_SPILLING, _SOAR_SPILLING = 0, 4  # of DatabaseSpillingConfig.SpillingType
_NUM_NEIGHBORS = 10  # unless a search says how many
_VALUES_PER_STEP = 1 << 22
_HEADER_ALIGNMENT = 64
_PREFIX = b"\x93NUMPY\x01\x00"
# Of training alone, or only the start of what each search states.
_FREE_FIELDS = (
    "partitioning.max_clustering_iterations",
    "partitioning.min_cluster_size",
    "partitioning.expected_sample_size",
    "partitioning.avq",
    "partitioning.query_spilling.max_spill_centers",
    "hash.asymmetric_hash.max_clustering_iterations",
    "hash.asymmetric_hash.expected_sample_size",
    "hash.asymmetric_hash.noise_shaping_threshold",
    "exact_reordering.approx_num_neighbors",
)


def searcher_config(
    library: ScannLibrary, dim: int, measure: str, settings: ScannSettings
) -> Any:
    """Returns the ScannConfig message of a searcher.

    Args:
        library: ScaNN.
        dim: Length of a descriptor.
        measure: `dot_product`, for descriptors of length 1, or `squared_l2`, which
            SOAR has not.
        settings: Of a structure that is not `brute_force`.
    """
    ops = library.ops
    # Only the number of columns counts: the rows come from a file.
    builder = ops.builder(np.empty((0, dim), np.float32), _NUM_NEIGHBORS, measure)
    if settings.structure == "tree":
        builder = builder.tree(
            num_leaves=settings.num_leaves,
            num_leaves_to_search=settings.leaves_to_search,
            training_sample_size=settings.training_sample,
            training_iterations=settings.training_iterations,
            random_init=False,  # k-means++, whose seed is fixed: the same files again
            avq=_LEAF_ANISOTROPY if measure == _PRODUCT else None,
            soar_lambda=settings.soar_lambda or None,
        )
    builder = builder.score_ah(
        settings.dimensions_per_block,
        anisotropic_quantization_threshold=settings.anisotropic_threshold or math.nan,
        training_sample_size=settings.training_sample,
    )
    if settings.reorder != "memory_mapped":
        types = ops.scann_builder.ReorderType
        kind = types[settings.reorder.upper()]
        builder = builder.reorder(settings.reordered_neighbors, kind)
    message = library.config_pb2.ScannConfig()
    text_format.Parse(builder.create_config(), message)
    return message


def dataset_asset(path: Path) -> str:
    """Returns how the float32 descriptors, a `.npy` file, are named to ScaNN."""
    return _asset("DATASET_NPY", path)


def centres_assets(folder: Path, settings: ScannSettings) -> str:
    """Returns how the centres of codes and leaves in a folder are named to ScaNN."""
    assets = [_asset("AH_CENTERS", folder / _CODEBOOK)]
    if settings.structure == "tree":
        assets.append(_asset("PARTITIONER", folder / _TREE))
    return "\n".join(assets)


def checked_assets(
    folder: Path,
    shape: tuple[int, ...],
    settings: ScannSettings,
    library: ScannLibrary,
) -> str:
    """Checks all files but the descriptors; returns how they are named to ScaNN.

    Args:
        folder: Where ScaNN wrote them.
        shape: Of the descriptors.
        settings: What the index was built with.
        library: ScaNN.

    Raises:
        IndexMismatchError: A file is missing, or not one that ScaNN wrote for this
            shape and these settings.
    """
    rows, dim = shape
    per_block = settings.dimensions_per_block
    lengths = [min(per_block, dim - first) for first in range(0, dim, per_block)]
    measure = _checked_config(folder, dim, settings, library)
    _check_codebook(folder, library, lengths)
    if settings.structure == "tree":
        _check_tree(folder, library, dim, settings)
    assets = [centres_assets(folder, settings)]
    for array in _arrays(folder, (rows, dim), len(lengths), measure, settings):
        assets.append(_asset(array.asset_type, array.checked_path(folder)))
    return "\n".join(assets)


def _asset(kind: str, path: Path) -> str:
    quoted = json.dumps(str(path.absolute()), ensure_ascii=False)
    return f"assets {{ asset_type: {kind} asset_path: {quoted} }}"


def _refused(path: Path, reason: str) -> IndexMismatchError:
    return IndexMismatchError(
        f"{path} is not a file that ScaNN wrote for this index: {reason}. Build the "
        "index again."
    )


def _path(folder: Path, name: str) -> Path:
    try:
        path = inside(folder, name)
    except StoredPathError as error:
        raise IndexMismatchError(str(error)) from error
    if not path.is_file():
        raise _refused(path, "it is missing")
    return path


# === Settings ===


def _checked_config(
    folder: Path, dim: int, settings: ScannSettings, library: ScannLibrary
) -> str:
    """Compares the settings with what they must be; returns the measure."""
    path = _path(folder, CONFIG_FILE)
    stored = library.config_pb2.ScannConfig()
    _parse(stored, path)
    # SOAR is of products alone.
    for measure in (_PRODUCT,) if settings.soar_lambda else (_PRODUCT, _DISTANCE):
        expected = searcher_config(library, dim, measure, settings)
        for name in _FREE_FIELDS:
            _copy_number(name.split("."), stored, expected)
        if expected.SerializeToString() == path.read_bytes():
            return measure
    raise _refused(path, "its settings are not those of the index")


def _copy_number(names: list[str], stored: Any, expected: Any) -> None:
    """Lets a field have the value that is stored, where both have it."""
    for name in names[:-1]:
        if not (stored.HasField(name) and expected.HasField(name)):
            return
        stored, expected = getattr(stored, name), getattr(expected, name)
    value = getattr(stored, names[-1])
    if stored.HasField(names[-1]) and (value >= 0 or value != value):
        setattr(expected, names[-1], value)


# === Messages ===


def _parse(message: Any, path: Path) -> None:
    try:
        message.ParseFromString(path.read_bytes())
    except (DecodeError, OSError, RecursionError) as error:
        raise _refused(path, str(error)) from error


def _check_codebook(folder: Path, library: ScannLibrary, lengths: list[int]) -> None:
    """Checks the centres that codes stand for.

    A codebook of the stored numbers and nothing else must be the stored one.
    """
    path = _path(folder, _CODEBOOK)
    stored = library.centers_pb2.CentersForAllSubspaces()
    _parse(stored, path)
    if len(stored.subspace_centers) != len(lengths):
        raise _refused(path, f"it has {len(stored.subspace_centers)} blocks")
    written = type(stored)(quantization_scheme="PRODUCT")
    for block, length in zip(stored.subspace_centers, lengths, strict=True):
        if len(block.center) != _CENTRES_PER_BLOCK:
            raise _refused(path, f"it has {len(block.center)} centres a block")
        centres = written.subspace_centers.add().center
        for centre in block.center:
            values = centre.feature_value_float
            _check_numbers(path, values, length)
            centres.add(feature_type="FLOAT", feature_value_float=values)
    _check_same(path, written)


def _check_tree(
    folder: Path, library: ScannLibrary, dim: int, settings: ScannSettings
) -> None:
    """Checks the centres of the leaves, likewise."""
    num_leaves = settings.num_leaves
    path = _path(folder, _TREE)
    stored = library.partitioner_pb2.SerializedPartitioner()
    _parse(stored, path)
    centres = stored.kmeans.kmeans_tree.root.centers
    if len(centres) != num_leaves:
        raise _refused(path, f"it has {len(centres)} leaves")
    written = type(stored)(n_tokens=num_leaves)
    spilling = _SOAR_SPILLING if settings.soar_lambda else _NO_SPILLING
    written.kmeans.kmeans_tree.learned_spilling_type = spilling
    root = written.kmeans.kmeans_tree.root
    root.learned_spilling_threshold, root.leaf_id = math.nan, -1
    for leaf, centre in enumerate(centres):
        _check_numbers(path, centre.dimension, dim)
        root.centers.add(dimension=centre.dimension)
        root.children.add(learned_spilling_threshold=math.nan, leaf_id=leaf)
    _check_same(path, written)


def _check_numbers(path: Path, values: Any, length: int) -> None:
    if len(values) != length or not np.isfinite(values).all():
        raise _refused(path, f"a centre has not {length} finite numbers")


def _check_same(path: Path, written: Any) -> None:
    if written.SerializeToString() != path.read_bytes():
        raise _refused(path, "it holds more than centres")


# === Arrays ===


@dataclass(frozen=True)
class _StoredArray:
    """What an array of ScaNN must be.

    Attributes:
        name: Of the file, without its suffix.
        asset_type: As ScaNN names it.
        dtype: Little-endian.
        shape: All of it.
        is_valid: Of a part of the values.
    """

    name: str
    asset_type: str
    dtype: str
    shape: tuple[int, ...]
    is_valid: Callable[[np.ndarray], bool]

    def checked_path(self, folder: Path) -> Path:
        """Returns the file after checking it."""
        path = _path(folder, f"{self.name}.npy")
        header = array_header(self.dtype, self.shape)
        size = len(header) + math.prod(self.shape) * np.dtype(self.dtype).itemsize
        with path.open("rb") as file:
            if path.stat().st_size != size or file.read(len(header)) != header:
                raise _refused(path, f"it must be {self.dtype} of shape {self.shape}")
            while len(part := np.fromfile(file, self.dtype, _VALUES_PER_STEP)):
                if not self.is_valid(part):
                    raise _refused(path, "it has values that ScaNN cannot have written")
        return path


def array_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Returns a header as ScaNN writes it, which is not quite as NumPy does."""
    lengths = "".join(f"{length}," for length in shape)
    text = f"{{'descr':'{dtype}', 'fortran_order':False, 'shape':({lengths})}}"
    size = len(_PREFIX) + 2 + len(text) + 1
    text += " " * (-size % _HEADER_ALIGNMENT) + "\n"
    return _PREFIX + len(text).to_bytes(2, "little") + text.encode()


def _arrays(
    folder: Path,
    shape: tuple[int, int],
    num_blocks: int,
    measure: str,
    settings: ScannSettings,
) -> Iterator[_StoredArray]:
    """Yields what the arrays must be; each has been checked when the next is asked."""
    rows, dim = shape
    if settings.structure == "tree":
        yield _leaves_of_rows(rows, settings)
    codes = rows, num_blocks
    yield _StoredArray(CODES, "AH_DATASET_NPY", "<u1", codes, _are_codes)
    # ScaNN wants these after the leaves, and writes none where no row has a second.
    if settings.soar_lambda and _has_second_leaves(folder):
        name, kind = SECOND_CODES, "AH_DATASET_SOAR_NPY"
        yield _StoredArray(name, kind, "<u1", codes, _are_codes)
    if settings.reorder == "bfloat16":
        yield _StoredArray(
            "bfloat16_dataset", "BF16_DATASET_NPY", "<i2", (rows, dim), _are_bfloat16
        )
    if settings.reorder == "int8":
        norms = rows if measure == _DISTANCE else 0
        yield _StoredArray(
            "int8_dataset", "INT8_DATASET_NPY", "<i1", (rows, dim), _are_any
        )
        yield _StoredArray(
            "int8_multipliers", "INT8_MULTIPLIERS_NPY", "<f4", (dim,), _are_finite
        )
        yield _StoredArray("dp_norms", "INT8_NORMS_NPY", "<f4", (norms,), _are_finite)


def _leaves_of_rows(rows: int, settings: ScannSettings) -> _StoredArray:
    """Returns the array of each row's leaf; with SOAR of its two leaves."""

    def are_leaves(part: np.ndarray) -> bool:
        return bool(part.min() >= 0 and part.max() < settings.num_leaves)

    def are_pairs(part: np.ndarray) -> bool:
        first, second = part[::2], part[1::2]
        # ScaNN trusts that a row is in a leaf once.
        return (
            are_leaves(first)
            and bool(second.min() >= _NO_LEAF and second.max() < settings.num_leaves)
            and not (first == second).any()
        )

    has_pairs = bool(settings.soar_lambda)
    return _StoredArray(
        LEAVES,
        "TOKENIZATION_NPY",
        "<i4",
        (2 * rows if has_pairs else rows,),
        are_pairs if has_pairs else are_leaves,
    )


def _has_second_leaves(folder: Path) -> bool:
    leaves = read_npy(_path(folder, f"{LEAVES}.npy"), mapped=False)
    return bool(leaves[1::2].max() != _NO_LEAF)


def _are_codes(part: np.ndarray) -> bool:
    return bool(part.max() < _CENTRES_PER_BLOCK)


def _are_bfloat16(part: np.ndarray) -> bool:
    exponent = np.int16(0x7F80)
    return bool(((part & exponent) != exponent).all())


def _are_any(part: np.ndarray) -> bool:
    return True


def _are_finite(part: np.ndarray) -> bool:
    return bool(np.isfinite(part).all())
