import argparse
import collections
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.vpr_tf.models.torch_weights.legacy_pth_files import (
    Storage,
    Tensor,
    contiguous,
    fake_torch,
    legacy_bytes,
)
from tests.vpr_tf.models.torch_weights.zip_pth_files import zip_bytes
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError

FORMATS = pytest.mark.parametrize("to_bytes", [legacy_bytes, zip_bytes])


@pytest.fixture(autouse=True)
def names_of_torch(monkeypatch):
    fake_torch(monkeypatch)


class Contents:
    """Collects the storages of the tensors that it makes."""

    def __init__(self):
        self.storages = []

    def tensor(self, *shape):
        values = np.arange(np.prod(shape, dtype=int), dtype="<f4").reshape(shape)
        tensor = contiguous(str(len(self.storages)), values)
        self.storages.append(tensor.arguments[0])
        return tensor


def cosplace_training(make, prefix=""):
    """Like last_checkpoint.pth of CosPlace."""
    adam = {
        "state": {0: {"step": 3, "exp_avg": make.tensor(2, 3)}},
        "param_groups": [{"lr": 1e-5, "betas": (0.9, 0.999), "params": [0]}],
    }
    return {
        "epoch_num": 7,
        "model_state_dict": collections.OrderedDict(
            [(f"{prefix}a.weight", make.tensor(2, 3)), (f"{prefix}b", make.tensor(4))]
        ),
        "optimizer_state_dict": adam,
        "classifiers_state_dict": [
            collections.OrderedDict([(f"{prefix}weight", make.tensor(5, 2))]),
            collections.OrderedDict([(f"{prefix}weight", make.tensor(6, 2))]),
        ],
        "optimizers_state_dict": [adam],
        "best_val_recall1": np.float64(71.5),
    }


@FORMATS
@pytest.mark.parametrize("prefix", ["", "module."])
def test_training_checkpoint_of_cosplace(tmp_path, to_bytes, prefix):
    make = Contents()
    path = tmp_path / "last_checkpoint.pth"
    path.write_bytes(to_bytes(cosplace_training(make, prefix), make.storages))
    checkpoint = read_checkpoint(path)
    assert list(checkpoint.state_dict) == ["a.weight", "b"]
    np.testing.assert_array_equal(
        checkpoint.state_dict["a.weight"], [[0, 1, 2], [3, 4, 5]]
    )
    assert [head.shape for head in checkpoint.heads] == [(5, 2), (6, 2)]
    np.testing.assert_array_equal(checkpoint.heads[1][5], [10, 11])


@FORMATS
def test_training_checkpoint_of_divide_and_classify(tmp_path, to_bytes):
    make = Contents()
    content = {
        "model_state_dict": {"w": make.tensor(2)},
        "classifiers_state_dict": [{"weight": make.tensor(3, 2)}],
        "args": argparse.Namespace(M=20, resize=(224, 224), path="x", flag=None),
    }
    path = tmp_path / "best_model.pth"
    path.write_bytes(to_bytes(content, make.storages))
    checkpoint = read_checkpoint(path)
    assert list(checkpoint.state_dict) == ["w"]
    assert [head.shape for head in checkpoint.heads] == [(3, 2)]


@FORMATS
def test_checkpoint_of_lightning(tmp_path, to_bytes):
    make = Contents()
    content = {
        "epoch": 1,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": collections.OrderedDict(w=make.tensor(2)),
        "callbacks": {"best": {"score": make.tensor(), "path": "a.ckpt"}},
        "hyper_parameters": {"lr": 6e-5, "frozen": True},
    }
    path = tmp_path / "last.ckpt"
    path.write_bytes(to_bytes(content, make.storages))
    checkpoint = read_checkpoint(path)
    assert list(checkpoint.state_dict) == ["w"]
    assert checkpoint.heads == []


def test_only_the_arrays_of_the_encoder_are_read(tmp_path):
    make = Contents()
    content = {"model_state_dict": {"w": make.tensor(10)}, "o": make.tensor(1_000_000)}
    path = tmp_path / "a.pth"
    path.write_bytes(zip_bytes(content, make.storages))
    tracemalloc.start()
    read_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_safetensors_is_recognised_whatever_its_suffix(tmp_path):
    arrays = {"module.b": np.float32([[1, 2]]), "module.a": np.float16([3])}
    save_file(arrays, tmp_path / "model.pth")
    received = read_checkpoint(tmp_path / "model.pth").state_dict
    assert set(received) == {"a", "b"}
    np.testing.assert_array_equal(received["b"], [[1, 2]])
    assert received["a"].dtype == np.float16


@FORMATS
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "must hold a state dict. Received: list"),
        ({}, "empty"),
        ({"a": 1, "b": "x"}, "No tensors by name are: a, b"),
        ({"epoch": 3, "model": {}}, "No tensors by name are: epoch, model"),
        ({"model_state_dict": {"a": {"b": 1}}}, "No tensors by name are: a"),
        ({"state_dict": [1]}, "empty or none"),
        ({"module.a": None}, "No tensors by name are: module.a"),
    ],
)
def test_other_contents_are_refused(tmp_path, to_bytes, content, message):
    (tmp_path / "a.pth").write_bytes(to_bytes(content, []))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({"weight": 1}, "must be a list"),
        ([{"bias": (2, 3)}], "one matrix, `weight`. Received: bias"),
        ([{"weight": (2,)}], r"Received: weight \(2,\)"),
        ([{"weight": (2, 3), "bias": (2,)}], "Received: weight .*, bias"),
    ],
)
def test_malformed_heads_are_refused(tmp_path, heads, message):
    make = Contents()
    if isinstance(heads, list):
        heads = [
            {name: make.tensor(*shape) for name, shape in head.items()}
            for head in heads
        ]
    content = {
        "model_state_dict": {"w": make.tensor(2)},
        "classifiers_state_dict": heads,
    }
    (tmp_path / "a.pth").write_bytes(zip_bytes(content, make.storages))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.pth")


@FORMATS
def test_tensors_of_one_storage_share_memory_and_are_read_only(tmp_path, to_bytes):
    storage = Storage("0", np.arange(12, dtype="<f4"))
    content = {
        "transposed": Tensor(storage, (3, 2), (1, 3)),
        "tail": Tensor(storage, (4,), (2,), offset=5),
    }
    (tmp_path / "a.pth").write_bytes(to_bytes(content, [storage]))
    received = read_checkpoint(tmp_path / "a.pth").state_dict
    np.testing.assert_array_equal(received["transposed"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(received["tail"], [5, 7, 9, 11])
    assert np.shares_memory(received["transposed"], received["tail"])
    with pytest.raises(ValueError, match="read-only"):
        received["tail"][0] = 1


@FORMATS
def test_bfloat16_becomes_float32(tmp_path, to_bytes):
    upper_halves = np.array([1.0, -2.5], "<f4").view("<u4") >> 16
    storage = Storage("0", upper_halves.astype("<u2"), "BFloat16Storage")
    content = {"weight": Tensor(storage, (2,), (1,))}
    (tmp_path / "a.pth").write_bytes(to_bytes(content, [storage]))
    received = read_checkpoint(tmp_path / "a.pth").state_dict["weight"]
    np.testing.assert_array_equal(received, np.array([1.0, -2.5], "f4"))
    assert received.dtype == np.float32


@FORMATS
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((3, 3), (3, 1), 0),
        ((2, 3), (4, 1), 0),
        ((2, 3), (3, 1), 1),
        ((1000, 1000), (0, 0), 0),
        ((2, 3), (3,), 0),
        ((2, 3), (-3, 1), 3),
        ((2, 3), (3, 1), -1),
        ((2, -3), (3, 1), 0),
        ((0, 2**60), (1, 1), 0),
        ((1,) * 100, (1,) * 100, 0),
        ("23", (3, 1), 0),
        ((2.0, 3), (3, 1), 0),
    ],
)
def test_tensor_outside_its_storage(tmp_path, to_bytes, shape, strides, offset):
    storage = Storage("0", np.arange(6, dtype="<f4"))
    content = {"weight": Tensor(storage, shape, strides, offset)}
    (tmp_path / "a.pth").write_bytes(to_bytes(content, [storage]))
    with pytest.raises(CheckpointError, match="Tensor weight"):
        read_checkpoint(tmp_path / "a.pth")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No checkpoint at"):
        read_checkpoint(tmp_path / "absent.pth")
    path = tmp_path / "a.pth"
    for content in (b"", b"\x89PNG\r\n\x1a\n{", b"<html>not found</html>", b"{}"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"a\.pth"):
            read_checkpoint(path)
