import os
import pickle
import zipfile

import numpy as np
import pytest

from tests.vpr_tf.models.torch_weights.legacy_pth_files import (
    Storage,
    Tensor,
    contiguous,
    fake_torch,
    legacy_bytes,
    write_state_dict,
)
from vpr_tf.models.torch_weights.legacy_pth_reader import (
    CheckpointError,
    read_state_dict,
)


@pytest.fixture(autouse=True)
def names_of_torch(monkeypatch):
    fake_torch(monkeypatch)


def write(path, content, storages):
    path.write_bytes(legacy_bytes(content, storages))
    return path


def one_tensor(**lies):
    values = np.arange(6, dtype="<f4")
    storage = Storage("0", values, **lies)
    return {"weight": Tensor(storage, (2, 3), (3, 1))}, [storage]


def test_arrays_come_back_in_order(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "b.weight": rng.standard_normal((4, 3, 2, 2)).astype("<f4"),
        "a.half": rng.standard_normal((5,)).astype("<f2"),
        "a.num_batches_tracked": np.array(7, "<i8"),
        "empty": np.zeros((0, 3), "<f4"),
    }
    write_state_dict(tmp_path / "a.pth", arrays)
    received = read_state_dict(tmp_path / "a.pth")
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def test_views_of_one_storage(tmp_path):
    storage = Storage("0", np.arange(12, dtype="<f4"))
    content = {
        "transposed": Tensor(storage, (3, 2), (1, 3)),
        "tail": Tensor(storage, (4,), (2,), offset=5),
    }
    received = read_state_dict(write(tmp_path / "a.pth", content, [storage]))
    np.testing.assert_array_equal(received["transposed"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(received["tail"], [5, 7, 9, 11])


def test_bfloat16_becomes_float32(tmp_path):
    upper_halves = np.array([1.0, -2.5], "<f4").view("<u4") >> 16
    storage = Storage("0", upper_halves.astype("<u2"), "BFloat16Storage")
    content = {"weight": Tensor(storage, (2,), (1,))}
    received = read_state_dict(write(tmp_path / "a.pth", content, [storage]))
    np.testing.assert_array_equal(received["weight"], np.array([1.0, -2.5], "f4"))


class Hostile:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("function", [os.system, eval, exec, os.mkdir])
@pytest.mark.parametrize("in_header", [False, True])
def test_hostile_pickle_is_refused_and_does_not_run(tmp_path, function, in_header):
    victim = tmp_path / "victim"
    argument = {
        os.system: f"mkdir {victim}",
        os.mkdir: str(victim),
    }.get(function, f"__import__('os').mkdir({str(victim)!r})")
    hostile = Hostile(function, argument)
    path = tmp_path / "hostile.pth"
    if in_header:
        path.write_bytes(pickle.dumps(hostile, protocol=2))
    else:
        tensors, storages = one_tensor()
        write(path, {**tensors, "z": hostile}, storages)
    with pytest.raises(CheckpointError, match=f"{function.__name__}`.*Nothing of it"):
        read_state_dict(path)
    assert not victim.exists()


def test_every_truncation_is_one_clear_error(tmp_path):
    tensors, storages = one_tensor()
    whole = legacy_bytes(tensors, storages)
    path = tmp_path / "truncated.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"truncated\.pth"):
            read_state_dict(path)


def test_declared_size_of_10_gb_allocates_nothing(tmp_path):
    tensors, storages = one_tensor(declared_size=2_500_000_000)
    path = write(tmp_path / "huge.pth", tensors, storages)
    with pytest.raises(CheckpointError, match="declares 10000000000 bytes"):
        read_state_dict(path)


def test_bytes_of_10_gb_inside_the_pickle_allocate_nothing(tmp_path):
    path = tmp_path / "huge.pth"
    # BINBYTES8 with a length of 10 GB.
    path.write_bytes(b"\x80\x04\x8e" + (10**10).to_bytes(8, "little") + b"x")
    with pytest.raises(CheckpointError, match="declares a wrong size"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((3, 3), (3, 1), 0),
        ((2, 3), (4, 1), 0),
        ((2, 3), (3, 1), 1),
        ((1000, 1000), (0, 0), 0),
        ((2, 3), (3,), 0),
        ((2, -3), (3, 1), 0),
        ("23", (3, 1), 0),
    ],
)
def test_tensor_outside_its_storage_is_refused(tmp_path, shape, strides, offset):
    storage = Storage("0", np.arange(6, dtype="<f4"))
    content = {"weight": Tensor(storage, shape, strides, offset)}
    path = write(tmp_path / "a.pth", content, [storage])
    with pytest.raises(CheckpointError, match="Tensor weight"):
        read_state_dict(path)


def test_training_checkpoint_is_not_a_state_dict(tmp_path):
    tensors, storages = one_tensor()
    path = write(tmp_path / "a.pth", {"model": tensors, "epoch": 3}, storages)
    with pytest.raises(CheckpointError, match="flat state dict"):
        read_state_dict(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    with pytest.raises(FileNotFoundError):
        read_state_dict(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="magic number"):
        read_state_dict(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(CheckpointError, match="_use_new_zipfile_serialization=False"):
        read_state_dict(path)


def test_lists_of_storages_must_agree(tmp_path):
    tensors, storages = one_tensor()
    other = contiguous("1", np.zeros(3, "<f4")).arguments[0]
    path = write(tmp_path / "a.pth", tensors, [*storages, other])
    with pytest.raises(CheckpointError, match="list of storages"):
        read_state_dict(path)
