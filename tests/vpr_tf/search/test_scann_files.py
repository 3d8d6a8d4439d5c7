"""What a stranger may write into the files of ScaNN, with checksums that fit."""

import shutil

import numpy as np
import pytest

from tests.vpr_tf.search.index_cases import clustered_unit_vectors
from vpr_tf.search import IndexMismatchError, ScannIndex

pytest.importorskip("scann")

ROWS = clustered_unit_vectors(120)
KINDS = {
    "codes": {"structure": "quantized", "reorder": "int8"},
    "one_leaf": {"num_leaves": 9, "soar_lambda": 0.0, "reorder": "bfloat16"},
    "tree": {"num_leaves": 9, "leaves_to_search": 2, "reorder": "bfloat16"},
    "int8": {"num_leaves": 9, "leaves_to_search": 2, "dimensions_per_block": 3},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    indexes = {}
    for name, settings in KINDS.items():
        folder = tmp_path_factory.mktemp(name)
        index = ScannIndex.build(ROWS if name != "int8" else 3 * ROWS, settings)
        index.write(folder)
        indexes[name] = index, folder
    return indexes


@pytest.fixture(params=list(KINDS))
def copied(request, written, tmp_path):
    index, source = written[request.param]
    folder = tmp_path / "index"
    shutil.copytree(source, folder)
    return index, folder


def read(index, folder):
    return ScannIndex.read(folder, index.descriptors, index.settings)


def test_honest_files_are_read(copied):
    index, folder = copied
    for got, expected in zip(
        read(index, folder).search(ROWS[:9], 5), index.search(ROWS[:9], 5), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_files_of_other_sizes_are_refused(copied):
    index, folder = copied
    files = [path for path in folder.iterdir() if path.name != "scann_assets.pbtxt"]
    for path in files:
        content = path.read_bytes()
        for changed in (b"", content[:-1], content + b"\0", content + content):
            if changed == content:
                continue
            path.write_bytes(changed)
            with pytest.raises(IndexMismatchError, match=path.name):
                read(index, folder)
        path.unlink()
        with pytest.raises(IndexMismatchError, match=r"missing"):
            read(index, folder)
        path.symlink_to("/dev/zero")
        with pytest.raises(IndexMismatchError, match="symbolic link"):
            read(index, folder)
        path.unlink()
        path.write_bytes(content)
    read(index, folder)


@pytest.mark.parametrize(
    ("name", "dtype", "value"),
    [
        ("hashed_dataset_soar.npy", "u1", 16),
        ("datapoint_to_token.npy", "<i4", 9),
        ("datapoint_to_token.npy", "<i4", -1),
        ("hashed_dataset.npy", "u1", 16),
        ("bfloat16_dataset.npy", "<i2", 0x7F80),
        ("int8_multipliers.npy", "<f4", np.nan),
        ("dp_norms.npy", "<f4", np.inf),
    ],
)
def test_values_that_scann_does_not_write_are_refused(
    written, tmp_path, name, dtype, value
):
    for index, source in written.values():
        if not (source / name).exists() or not np.load(source / name).size:
            continue
        folder = tmp_path / source.name
        shutil.copytree(source, folder)
        content = bytearray((folder / name).read_bytes())
        content[-np.dtype(dtype).itemsize :] = np.array(value, dtype).tobytes()
        (folder / name).write_bytes(content)
        with pytest.raises(IndexMismatchError, match=f"{name}.*values"):
            read(index, folder)
        return
    raise AssertionError(f"no index has {name}")


@pytest.mark.parametrize(
    "change",
    [lambda first, second: (first, first), lambda first, second: (-1, second)],
    ids=["one_leaf_twice", "no_first_leaf"],
)
def test_leaves_that_soar_does_not_choose_are_refused(written, tmp_path, change):
    index, source = written["tree"]
    folder = tmp_path / "index"
    shutil.copytree(source, folder)
    leaves = np.lib.format.open_memmap(folder / "datapoint_to_token.npy", "r+")
    leaves[4:6] = change(*leaves[4:6])
    leaves.flush()
    with pytest.raises(IndexMismatchError, match=r"token\.npy.*values"):
        read(index, folder)


def test_a_file_that_names_others_is_not_followed(copied, tmp_path):
    index, folder = copied
    (folder / "scann_assets.pbtxt").write_text(
        f'assets {{ asset_type: AH_CENTERS asset_path: "{tmp_path}/secret" }}'
    )
    read(index, folder).search(ROWS[:2], 3)


def test_settings_of_another_index_are_refused(written, tmp_path):
    others = ("codes", "tree"), ("tree", "one_leaf"), ("one_leaf", "int8")
    for name, other in (*others, ("int8", "codes")):
        index, source = written[name]
        folder = tmp_path / name
        shutil.copytree(source, folder)
        shutil.copy(written[other][1] / "scann_config.pb", folder)
        with pytest.raises(IndexMismatchError, match="settings are not those"):
            read(index, folder)


def test_centres_with_more_than_numbers_are_refused(copied):
    index, folder = copied
    for name in ("ah_codebook.pb", "serialized_partitioner.pb"):
        path = folder / name
        if path.exists():
            content = path.read_bytes()
            path.write_bytes(content + b"\xfa\x01\x02ab")  # a field 31
            with pytest.raises(IndexMismatchError, match="more than centres"):
                read(index, folder)
            path.write_bytes(content)
