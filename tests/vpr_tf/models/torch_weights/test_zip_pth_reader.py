import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from tests.vpr_tf.models.torch_weights.legacy_pth_files import (
    Storage,
    Tensor,
    contiguous,
    fake_torch,
)
from tests.vpr_tf.models.torch_weights.zip_pth_files import (
    archive_bytes,
    zip_bytes,
    zip_members,
)
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError


@pytest.fixture(autouse=True)
def names_of_torch(monkeypatch):
    fake_torch(monkeypatch)


def two_tensors(**lies):
    storages = [
        Storage("0", np.arange(6, dtype="<f4"), **lies),
        Storage("1", np.arange(4, dtype="<f4")),
    ]
    return {
        "a": Tensor(storages[0], (2, 3), (3, 1)),
        "b": Tensor(storages[1], (4,), (1,)),
    }, storages


def refuse(path, data, message):
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_come_back_in_order(tmp_path, protocol):
    rng = np.random.default_rng(0)
    arrays = {
        "b.weight": rng.standard_normal((4, 3, 2, 2)).astype("<f4"),
        "a.half": rng.standard_normal((5,)).astype("<f2"),
        "a.num_batches_tracked": np.array(7, "<i8"),
        "empty": np.zeros((0, 3), "<f4"),
    }
    tensors = {
        name: contiguous(str(n), array)
        for n, (name, array) in enumerate(arrays.items())
    }
    storages = [tensor.arguments[0] for tensor in tensors.values()]
    (tmp_path / "a.pth").write_bytes(zip_bytes(tensors, storages, protocol))
    received = read_checkpoint(tmp_path / "a.pth").state_dict
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def test_truncation_every_few_bytes_is_one_clear_error(tmp_path):
    whole = zip_bytes(*two_tensors())
    path = tmp_path / "truncated.pth"
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"truncated\.pth"):
            read_checkpoint(path)


def test_flipped_bit_of_a_weight_is_noticed(tmp_path):
    data = bytearray(zip_bytes(*two_tensors()))
    data[data.index(np.arange(6, dtype="<f4").tobytes()) + 5] ^= 1
    refuse(tmp_path / "a.pth", bytes(data), "Storage 0 is damaged")


def test_declared_size_of_10_gb_allocates_nothing(tmp_path):
    tensors, storages = two_tensors(declared_size=2_500_000_000)
    data = zip_bytes(tensors, storages)
    refuse(tmp_path / "a.pth", data, "declares 10000000000 bytes, its member has 24")


def central_entry(data, name):
    """Position of a member's entry in the central directory."""
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(name)] != name:
        at = data.index(b"PK\x01\x02", at + 1)
    return at


def test_directory_that_declares_10_gb_allocates_nothing(tmp_path):
    tensors, storages = two_tensors(declared_size=1_000_000_000)
    data = bytearray(zip_bytes(tensors, storages))
    at = central_entry(data, b"archive/data/0")
    data[at + 20 : at + 28] = struct.pack("<II", 4_000_000_000, 4_000_000_000)
    refuse(tmp_path / "a.pth", bytes(data), "more than the file has|damaged|overlap")


def test_overlapping_members_are_refused(tmp_path):
    data = bytearray(zip_bytes(*two_tensors()))
    first = central_entry(data, b"archive/data/0")
    second = central_entry(data, b"archive/data/1")
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    refuse(tmp_path / "a.pth", bytes(data), "overlap|not where it should be")


def test_zip_bomb_is_refused(tmp_path):
    members = zip_members(*two_tensors())
    members.append(("archive/data/2", bytes(50_000_000)))
    data = archive_bytes(members, zipfile.ZIP_DEFLATED)
    assert len(data) < 100_000
    refuse(tmp_path / "a.pth", data, "is compressed")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "more than one folder|name that torch does not give"),
        ("archive/../../evil", "name that torch does not give"),
        ("/etc/evil", "more than one folder"),
        ("other/data/0", "more than one folder|twice"),
        ("evil", "name that torch does not give"),
        ("archive/data/0", "occurs twice"),
        ("archive/constants.pkl", "TorchScript"),
    ],
)
def test_odd_members_are_refused(tmp_path, name, message):
    members = [*zip_members(*two_tensors()), (name, b"1234")]
    refuse(tmp_path / "a.pth", archive_bytes(members), message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth"]


def test_very_many_members_are_refused(tmp_path):
    members = zip_members(*two_tensors())
    members += [(f"archive/data/x{number}", b"") for number in range(80_000)]
    data = archive_bytes(members)
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match="directory is larger"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        ("archive/data.pkl", None, "no data.pkl"),
        ("archive/data/1", None, "lacks the storage 1"),
        ("archive/data/1", b"123", "declares 16 bytes, its member has 3"),
        ("archive/byteorder", b"big", "little-endian"),
        ("archive/data.pkl", b"", "truncated"),
        ("archive/data.pkl", b"\x80\x02}q\x00", "truncated"),
    ],
)
def test_missing_and_wrong_members(tmp_path, replaced, by, message):
    members = [
        (name, by if name == replaced else data)
        for name, data in zip_members(*two_tensors())
        if name != replaced or by is not None
    ]
    refuse(tmp_path / "a.pth", archive_bytes(members), message)
