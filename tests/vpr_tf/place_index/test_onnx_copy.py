"""Queries described by the ONNX copy of an index equal those described by Keras."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.data.prepared_fixture import encode_image, smooth_pixels
from vpr_tf.config import Preprocessing
from vpr_tf.engine_choice import using_engine
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.place_index import PlaceIndex, onnx_copy
from vpr_tf.place_index.index_encoder import identity_of
from vpr_tf.place_index.layout import ONNX_COPY
from vpr_tf.place_index.manifest import EncoderIdentity, write_manifest
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import store_folder

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
NUM_PHOTOS = 6


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Files of several kinds and sizes, by name."""
    folder = tmp_path_factory.mktemp("photos")
    wide, high = smooth_pixels(60, 97, 0), smooth_pixels(150, 81, 1)
    contents = {
        "wide.jpg": encode_image(wide),
        "progressive.jpg": encode_image(high, progressive=True),
        "grey.jpg": encode_image(high[..., 0]),
        "colours.png": encode_image(wide, "PNG"),
        "deep.png": encode_image(wide[..., 0].astype(np.uint16) * 257, "PNG"),
    }
    turned = Image.Exif()
    turned[0x0112] = 6
    contents["turned.jpg"] = encode_image(wide, exif=turned)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    assert len(contents) == NUM_PHOTOS
    return folder


@pytest.fixture(scope="module")
def index(photos, tmp_path_factory):
    """An index of any size of photos, and the extractor that built it."""
    encoder = GeoLocalizationNet("EfficientNetLite0", 32, last_stage=0)
    extractor = FeatureExtractor(encoder, Preprocessing("shorter_side", 48))
    files = sorted(photos.iterdir())
    folder = tmp_path_factory.mktemp("index") / "city.index"
    with PlaceIndex.create(
        folder,
        extractor.extract(files),
        encoder=extractor,
        latitude=37.7 + np.arange(NUM_PHOTOS) / 100,
        longitude=[-122.5] * NUM_PHOTOS,
        keys=[file.name for file in files],
    ) as made:
        assert made.verify().is_intact
    return folder, extractor


def test_descriptors_equal_those_of_the_builder(index, photos):
    folder, extractor = index
    files = sorted(photos.iterdir())
    given = [*files, smooth_pixels(70, 50, 3), smooth_pixels(33, 90, 4) / 255]
    with PlaceIndex.open(folder) as opened:
        of_queries = opened.extractor(of_queries=True)
        assert of_queries.engine == "onnxruntime"
        assert of_queries is opened.extractor(of_queries=True)
        assert of_queries.fingerprint == extractor.fingerprint
        found = of_queries.extract(given)
        with using_engine("tensorflow"):
            assert opened.extractor(of_queries=True).engine == "tensorflow"
        assert opened.extractor().engine == "tensorflow"
    np.testing.assert_allclose(found, extractor.extract(given), rtol=0, atol=1e-5)


def test_descriptors_of_real_photos_equal_those_of_the_builder(index, shared_dir):
    folder, extractor = index
    files = sorted((shared_dir / "data/sf_xs_dark/val/queries").iterdir())[:8]
    with PlaceIndex.open(folder) as opened:
        found = opened.extractor(of_queries=True).extract(files)
    np.testing.assert_allclose(found, extractor.extract(files), rtol=0, atol=1e-5)


_COMMANDS = """
import json, sys
from vpr_tf.cli.main import main
assert main(sys.argv[1:]) == 0
heavy = {"tensorflow", "keras", "sklearn", "scipy", "matplotlib", "h5py"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


@pytest.mark.parametrize("command", ["localize", "query"])
def test_commands_answer_without_tensorflow(command, index, photos):
    words = [command, "--index", str(index[0]), "--json", str(photos / "wide.jpg")]
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", _COMMANDS, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    found = json.loads(answer.stdout)
    one = (found["localizations"] if command == "localize" else found)[0]
    assert one["matches"][0]["key"] == "wide.jpg"
    assert one["matches"][0]["distance"] < 1e-6


@pytest.fixture
def copied(index, tmp_path):
    """A copy of the index whose ONNX file may be replaced, checksums fitting."""
    folder = tmp_path / "copy.index"
    shutil.copytree(index[0], folder)

    def replace(content):
        (folder / ONNX_COPY).write_bytes(content)
        files = store_folder(folder / "encoder")
        files = {f"encoder/{name}": file for name, file in files.items()}
        with PlaceIndex.open(folder) as opened:
            manifest = opened.manifest
        write_manifest(folder, dataclasses.replace(manifest, encoder_files=files))

    return folder, replace


def test_altered_copy_is_refused(copied):
    folder, _ = copied
    content = bytearray((folder / ONNX_COPY).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / ONNX_COPY).write_bytes(content)
    with PlaceIndex.open(folder) as opened:
        assert ONNX_COPY in opened.verify().problems
        with pytest.raises(IndexMismatchError, match=r"encoder\.onnx is damaged"):
            opened.extractor(of_queries=True)


def test_copy_that_may_do_more_than_compute_is_refused(copied):
    folder, replace = copied
    model = onnx.ModelProto.FromString((folder / ONNX_COPY).read_bytes())
    model.graph.node[0].domain = "of.a.stranger"
    replace(model.SerializeToString())
    with PlaceIndex.open(folder) as opened:
        assert opened.verify().is_intact
        with pytest.raises(ValueError, match=r"nothing but compute.*of\.a\.stranger"):
            opened.localize([smooth_pixels(40, 40, 0)])


def test_index_without_a_copy_or_the_packages_is_described_by_keras(
    copied, monkeypatch
):
    folder, _ = copied
    with PlaceIndex.open(folder) as opened:
        manifest = opened.manifest
    monkeypatch.setattr(onnx_copy, "_READ_WITH", ("onnx", "no_such_package"))
    assert onnx_copy.open_onnx_copy(folder, manifest) is None
    monkeypatch.undo()
    (folder / ONNX_COPY).unlink()
    files = {n: f for n, f in manifest.encoder_files.items() if n != ONNX_COPY}
    write_manifest(folder, dataclasses.replace(manifest, encoder_files=files))
    with PlaceIndex.open(folder) as opened:
        assert opened.verify().is_intact
        assert opened.extractor(of_queries=True).engine == "tensorflow"


@pytest.mark.parametrize(
    ("aggregation", "preprocessing", "packages", "reason"),
    [
        ("gem", Preprocessing(precision="mixed_bfloat16"), ("onnx",), "in mixed_bf"),
        (
            "optimal_transport",
            Preprocessing("shorter_side", 224),
            ("onnx",),
            "refuses small",
        ),
        ("gem", Preprocessing(), ("no_such_package",), r"vpr_tf\[onnx\]"),
    ],
)
def test_no_copy_where_it_would_not_do(
    aggregation, preprocessing, packages, reason, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(onnx_copy, "_WRITTEN_WITH", packages)
    encoder = SimpleNamespace(aggregation_name=aggregation)  # is not looked into
    identity = EncoderIdentity("f" * 64, "an encoder", 8, preprocessing)
    onnx_copy.keep_onnx_copy(encoder, identity, tmp_path / "encoder.onnx")
    assert not list(tmp_path.iterdir())
    assert re.search(reason, caplog.text)


@pytest.mark.parametrize(
    "error", [ValueError("It has no Loop."), AttributeError("It has no Loop.")]
)
def test_encoder_that_does_not_convert_is_named(error, tmp_path, monkeypatch, caplog):
    def refuses(encoder, preprocessing):
        raise error

    monkeypatch.setattr("vpr_tf.models.onnx_conversion.to_onnx", refuses)
    encoder = SimpleNamespace(aggregation_name="gem")
    identity = EncoderIdentity("f" * 64, "an encoder", 8, Preprocessing())
    onnx_copy.keep_onnx_copy(encoder, identity, tmp_path / "encoder.onnx")
    assert not list(tmp_path.iterdir())
    assert "by this index: It has no Loop." in caplog.text


def _unlike(model):
    model.graph.initializer[0].raw_data = bytes(
        len(model.graph.initializer[0].raw_data)
    )


def _of_a_stranger(model):
    model.graph.node[0].domain = "of.a.stranger"


def _cannot_be_computed(model):
    model.graph.node[0].op_type = "Sin"  # of one input, not of those that it has
    model.graph.node[0].input.append(model.graph.input[0].name)


def _another_encoder(model):
    del model.metadata_props[:]


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (_unlike, "the descriptors of Keras within 0.0001. Received: a difference"),
        (_of_a_stranger, "nothing but compute"),
        (_cannot_be_computed, "ONNX Runtime cannot compute"),
        (_another_encoder, "fingerprint"),
    ],
)
def test_copy_that_does_not_do_is_dropped(
    alter, reason, index, tmp_path, monkeypatch, caplog
):
    folder, extractor = index
    model = onnx.ModelProto.FromString((folder / ONNX_COPY).read_bytes())
    alter(model)
    content = model.SerializeToString()
    monkeypatch.setattr("vpr_tf.models.onnx_conversion.to_onnx", lambda *_: content)
    path = tmp_path / "encoder.onnx"
    onnx_copy.keep_onnx_copy(extractor.encoder, identity_of(extractor), path)
    assert not list(tmp_path.iterdir())
    assert reason in caplog.text


def test_copy_of_another_encoder_is_refused(copied):
    folder, replace = copied
    model = onnx.ModelProto.FromString((folder / ONNX_COPY).read_bytes())
    (one,) = (one for one in model.metadata_props if one.key == "fingerprint")
    one.value = "e" * 64
    replace(model.SerializeToString())
    what = "must be the encoder of the fingerprint"
    with PlaceIndex.open(folder) as opened, pytest.raises(ValueError, match=what):
        opened.localize([smooth_pixels(40, 40, 0)])
