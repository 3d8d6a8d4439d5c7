"""A small index whose encoder is a few operations of ONNX: no TensorFlow is loaded."""

import dataclasses
import io
import json
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vpr_tf.config import Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.extraction.export_record import EXPORT_RECORD, ExportRecord, Parity
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.geo import LOCAL_ZONE
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving.decoding_work import decode_photo
from vpr_tf.stored_files import StoredFile

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
DIM, SIZE = 24, 32
KEYS = [f"streets/{number}.jpg" for number in range(8)]


def photo(number, height=60, width=80, image_format="JPEG", **options):
    """A photo of a place, as bytes of a file."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(coarse).resize((width, height))
    image.save(file, image_format, **options)
    return file.getvalue()


PHOTOS = [photo(number) for number in range(len(KEYS))]


def die_while_sending_once(content, task):
    """Decodes a photo; where the file `content` is not there, dies as it answers."""
    died = Path(content)
    if not died.exists():
        died.touch()
        Connection._send = _half_and_die
    return decode_photo(PHOTOS[0], task)


def _half_and_die(self, data):
    os.write(self.fileno(), bytes(data[: len(data) // 2]))
    os.kill(os.getpid(), signal.SIGKILL)


def tiny_encoder(folder, seed=0, resize="square"):
    """An exported encoder: a convolution, tanh, the mean, unit length."""
    helper, rng = onnx.helper, np.random.default_rng(seed)
    weights = rng.normal(size=(DIM, 3, 8, 8)).astype(np.float32) / 8
    value, floats = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Transpose", ["images"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "weights"], ["conv"], strides=[8, 8]),
        helper.make_node("Tanh", ["conv"], ["tanh"]),
        helper.make_node("GlobalAveragePool", ["tanh"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("ReduceL2", ["flat"], ["norm"], axes=[1]),
        helper.make_node("Div", ["flat", "norm"], ["descriptors"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value("images", floats, ["n", "h", "w", 3])],
        [value("descriptors", floats, ["n", DIM])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    fingerprint = f"{seed:064x}"
    helper.set_model_props(model, {"fingerprint": fingerprint})
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    record = ExportRecord(
        1,
        "onnx",
        "float32",
        DIM,
        fingerprint,
        f"tiny encoder {seed}",
        Preprocessing(resize, SIZE),
        {"model.onnx": StoredFile.from_path(folder / "model.onnx")},
        Parity("none", 1, 0.0, 1.0),
    )
    (folder / EXPORT_RECORD).write_text(json.dumps(dataclasses.asdict(record)))
    encoder = ExportedEncoder.from_folder(folder)
    return FeatureExtractor(
        encoder, encoder.preprocessing, description=encoder.description
    )


def make_index(folder, extractor, **options):
    """An index of `PHOTOS`, 1 km apart, looking north."""
    PlaceIndex.create(
        folder,
        extractor.extract(PHOTOS),
        encoder=extractor,
        latitude=37.7 + np.arange(len(KEYS)) / 100,
        longitude=[-122.5] * len(KEYS),
        heading_deg=[0.0] * len(KEYS),
        timestamps=["20190630"] * len(KEYS),
        keys=KEYS,
        **options,
    ).close()
    return folder


def make_street_index(folder, extractor, **options):
    """An index of four streets whose descriptors are none of theirs."""
    PlaceIndex.create(
        folder,
        np.eye(4, DIM),
        encoder=extractor,
        latitude=37.7 + np.arange(4) / 100,
        longitude=[-122.5] * 4,
        keys=[f"{seed}.png" for seed in range(4)],
        **options,
    ).close()
    return folder


def create_local_index(folder, extractor, metres):
    """Creates an index of all photos in a row, so far apart in local coordinates."""
    PlaceIndex.create(
        folder,
        extractor.extract(PHOTOS),
        encoder=extractor,
        utm_east=metres * np.arange(len(KEYS)),
        utm_north=np.zeros(len(KEYS)),
        utm_zone=[LOCAL_ZONE] * len(KEYS),
        keys=KEYS,
    ).close()
