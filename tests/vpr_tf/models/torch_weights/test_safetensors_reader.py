import json
import struct

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError


def safetensors_bytes(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_arrays_come_back(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.standard_normal((2, 3, 4)).astype("f4"),
        "b": rng.standard_normal(5).astype("f2"),
        "c": np.array(7, "i8"),
        "d": np.zeros((0, 2), "f4"),
    }
    save_file(arrays, tmp_path / "a.safetensors")
    received = read_checkpoint(tmp_path / "a.safetensors").state_dict
    assert set(received) == set(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def test_bfloat16_becomes_float32(tmp_path):
    values = np.array([1.0, -2.5, 3e38], ml_dtypes.bfloat16)
    header = {"w": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes(header, values.tobytes()))
    received = read_checkpoint(path).state_dict["w"]
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, values.astype("f4"))


@pytest.mark.parametrize(
    "header",
    [
        {"w": {"dtype": "F32", "shape": [2_500_000_000], "data_offsets": [0, 10**10]}},
        {"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}},
        {"w": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}},
        {"w": 3},
    ],
)
def test_damaged_files_are_one_clear_error(tmp_path, header):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes(header, bytes(8)))
    with pytest.raises(CheckpointError, match=r"a\.safetensors"):
        read_checkpoint(path)


def test_every_truncation_is_one_clear_error(tmp_path):
    header = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    whole = safetensors_bytes(header, bytes(8))
    path = tmp_path / "a.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"a\.safetensors"):
            read_checkpoint(path)
