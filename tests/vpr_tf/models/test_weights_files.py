import io
import json
import pickle
import struct

import h5py
import keras
import numpy as np
import pytest

from tests.vpr_tf.models.torch_weights.zip_pth_files import archive_bytes
from vpr_tf.extraction import EncoderError, load_extractor
from vpr_tf.models import GeoLocalizationNet, load_weights
from vpr_tf.models.conversion import set_encoder
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint


def safetensors_bytes(shapes):
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + bytes(end)


def saved_bytes(save):
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def hdf5_bytes():
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5["a"] = np.zeros(3)
    return file.getvalue()


PAGE = b"\n<!DOCTYPE html><html><body>Download quota exceeded</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
NO_WEIGHTS = {
    "web page": (PAGE, "a web page"),
    "page of Windows": (b"\xef\xbb\xbf<HTML>", "a web page"),
    "pointer": (POINTER, "Git LFS pointer.*git lfs pull"),
    "empty": (b"", "an empty file"),
    "text": ("Für später\r\n".encode(), "a text file"),
    "JSON whose ninth byte is a brace": (b'{"abcd":{"a": 1}}', "a text file"),
    "npy": (saved_bytes(lambda file: np.save(file, np.zeros(3))), "a NumPy array"),
    "npz": (saved_bytes(lambda file: np.savez(file, a=np.zeros(3))), "NumPy arrays"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(20), "a JPEG image"),
    "bytes": (bytes(range(1, 256)), "unknown kind"),
}


@pytest.fixture(scope="module")
def stem():
    return GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".keras", ".weights.h5"])
@pytest.mark.parametrize("what", NO_WEIGHTS)
def test_what_is_no_weights_is_named(stem, tmp_path, what, suffix):
    data, message = NO_WEIGHTS[what]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"file{suffix} must be .*{message}") as raised:
        load_weights(stem, str(path))
    assert "pickle" not in str(raised.value)
    with pytest.raises(EncoderError, match=message):
        load_extractor(model=path)


@pytest.mark.parametrize(
    ("suffix", "data", "message"),
    [
        (".pth", hdf5_bytes(), "Received: an HDF5 file"),
        (".keras", hdf5_bytes(), "Received: an HDF5 file"),
        (".keras", safetensors_bytes({"w": [2]}), "a safetensors.*vpr convert"),
        (".weights.h5", pickle.dumps({}), "a checkpoint of torch.*vpr convert"),
        (".keras", archive_bytes([("a/data.pkl", b"")]), "a checkpoint of torch"),
        (".pth", archive_bytes([("metadata.json", b"")]), "Received: a .keras file"),
        (".pth", archive_bytes([("a.txt", b"")]), "no data.pkl. It holds a.txt"),
        (".keras", archive_bytes([("a.txt", b"")]), "must hold config.json"),
    ],
)
def test_weights_of_another_format_are_named(stem, tmp_path, suffix, data, message):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_weights(stem, str(path))


def test_weights_of_another_network_say_how_many_fit(stem, tmp_path):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(safetensors_bytes({"w": [2], "module.a.bias": [3]}))
    message = r"of another network.* 0 of its 2 arrays fit\.\n  (w|module.a.bias): not"
    with pytest.raises(ValueError, match=message):
        load_weights(stem, str(path))
    with pytest.raises(ValueError, match=message):  # not: "a backbone alone"
        set_encoder(stem, read_checkpoint(path))


def test_foreign_files_of_keras_are_named(stem, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="must hold a GeoLocalizationNet"):
        load_weights(stem, str(tmp_path / "a.keras"))
    model.save_weights(tmp_path / "a.weights.h5")
    message = r"0 of its 2 arrays fit\.\n  layers/dense"
    with pytest.raises(ValueError, match=message):
        load_weights(stem, str(tmp_path / "a.weights.h5"))
