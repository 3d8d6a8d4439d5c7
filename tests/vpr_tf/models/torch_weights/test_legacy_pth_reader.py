import pickle

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
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError


@pytest.fixture(autouse=True)
def names_of_torch(monkeypatch):
    fake_torch(monkeypatch)


def write(path, content, storages):
    path.write_bytes(legacy_bytes(content, storages))
    return path


def one_tensor(**lies):
    storage = Storage("0", np.arange(6, dtype="<f4"), **lies)
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
    received = read_checkpoint(tmp_path / "a.pth").state_dict
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def test_every_truncation_is_one_clear_error(tmp_path):
    tensors, storages = one_tensor()
    whole = legacy_bytes(tensors, storages)
    path = tmp_path / "truncated.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"truncated\.pth"):
            read_checkpoint(path)


def test_declared_size_of_10_gb_allocates_nothing(tmp_path):
    tensors, storages = one_tensor(declared_size=2_500_000_000)
    path = write(tmp_path / "huge.pth", tensors, storages)
    with pytest.raises(CheckpointError, match="declares 10000000000 bytes"):
        read_checkpoint(path)


def test_other_pickles_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="magic number"):
        read_checkpoint(path)


def test_lists_of_storages_must_agree(tmp_path):
    tensors, storages = one_tensor()
    other = contiguous("1", np.zeros(3, "<f4")).arguments[0]
    path = write(tmp_path / "a.pth", tensors, [*storages, other])
    with pytest.raises(CheckpointError, match="list of storages"):
        read_checkpoint(path)


def test_storage_declared_twice_and_differently(tmp_path):
    tensors, storages = one_tensor()
    longer = Storage("0", np.arange(7, dtype="<f4"))
    tensors["b"] = Tensor(longer, (7,), (1,))
    path = write(tmp_path / "a.pth", tensors, storages)
    with pytest.raises(CheckpointError, match="declared twice"):
        read_checkpoint(path)
