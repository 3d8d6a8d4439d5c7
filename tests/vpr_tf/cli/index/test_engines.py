"""What computes descriptors, from the command line to the manifest."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from benchmarks.hostile.exports import onnx_model
from tests.command_line import on_index
from tests.vpr_tf.cli.index.conftest import write_photos
from tests.vpr_tf.extraction.test_exported_encoder import onnx_export
from vpr_tf.engine_choice import using_engine
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.manifest import write_manifest

pytest.importorskip("onnxruntime")


@pytest.fixture
def of_export(tmp_path):
    """An index whose encoder is an export."""
    model = onnx_export(tmp_path / "colours-onnx" / "1", onnx_model())
    photos = write_photos(tmp_path / "photos")
    index = tmp_path / "city.index"
    words = ("--photos", photos, "--model", model.parent)
    assert on_index("build", index, *words) == 0
    return index


def test_an_index_of_an_export_keeps_it(of_export, tmp_path, capsys):
    assert on_index("inspect", of_export) == 0
    assert "square 16, float32, by onnxruntime" in capsys.readouterr().out
    (tmp_path / "colours-onnx").rename(tmp_path / "elsewhere")
    with PlaceIndex.open(of_export) as index:
        assert index.manifest.encoder.engine == "onnxruntime"
        assert index.verify().is_intact
        photo = tmp_path / "photos" / "3.png"
        found = index.search(index.extractor().extract([photo]), 1)
    assert found.keys == [["3.png"]]
    assert on_index("add", of_export, "--photos", tmp_path / "photos") == 2
    capsys.readouterr()
    assert on_index("query", of_export, "--engine", "litert", photo) == 2
    assert "LiteRT computes exports of the format litert" in capsys.readouterr().err


@pytest.fixture
def noted_as(built, tmp_path):
    """Makes a copy of an index that was built otherwise, as its manifest says."""

    def make(precision, engine):
        index = tmp_path / "copy.index"
        shutil.copytree(built / "city.index", index)
        with PlaceIndex.open(index) as opened:
            manifest = opened.manifest
        encoder = manifest.encoder
        prepared = dataclasses.replace(encoder.preprocessing, precision=precision)
        encoder = dataclasses.replace(encoder, preprocessing=prepared, engine=engine)
        write_manifest(index, dataclasses.replace(manifest, encoder=encoder))
        return index

    return make


def test_descriptors_of_another_engine_or_precision_are_not_added(
    noted_as, built, capsys, caplog
):
    index = noted_as("mixed_bfloat16", "tensorflow")
    photo = built / "photos" / "1.png"
    add = ("add", index, "--photos", built / "photos", "--prefix", "new/")
    assert on_index(*add, "--engine", "openvino") == 2
    error = capsys.readouterr().err
    assert "computed in mixed_bfloat16 by tensorflow. Received: " in error
    assert "by openvino, which gives others" in error
    assert on_index("query", index, "--engine", "openvino", photo) == 0
    assert "distances are less exact" in caplog.text
    assert on_index(*add) == 0


def test_an_index_is_opened_by_the_engine_that_built_it(noted_as, caplog):
    with PlaceIndex.open(noted_as("float32", "litert")) as index:
        assert index.extractor().engine == "litert"
        with using_engine("tensorflow"):
            assert index.extractor().engine == "tensorflow"
    assert not caplog.text


def test_an_engine_that_is_not_here_is_said(noted_as, caplog):
    with PlaceIndex.open(noted_as("float32", "abacus")) as index:
        assert index.extractor().engine == "tensorflow"
    assert "built by is not used: `engine` must be one of" in caplog.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--engine", "openvno"), "(did you mean openvino?)"),
        (("--engine", "remote"), "Pass --encoder-url"),
        (("--encoder-url", "localhost"), "address of a served encoder must be"),
        (
            ("--engine", "litert", "--encoder-url", "http://a/v1/models/b"),
            "not allowed",
        ),
    ],
)
def test_what_is_no_engine_is_refused_at_once(words, message, capsys, built):
    photo = built / "photos" / "1.png"
    assert on_index("query", built / "city.index", *words, photo) == 2
    assert message in capsys.readouterr().err


def test_a_query_by_another_engine_finds_the_same(built, capsys):
    pytest.importorskip("tf2onnx")
    photo = built / "photos" / "4.png"
    found = []
    for engine in ("tensorflow", "onnxruntime"):
        words = ("--engine", engine, "--json", photo)
        assert on_index("query", built / "city.index", *words) == 0
        found.append(json.loads(capsys.readouterr().out))
    distances = [_distances(one) for one in found]
    np.testing.assert_allclose(*distances, atol=1e-4)


def _distances(value):
    """All numbers of an answer, in order."""
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in _distances(value[key])]
    if isinstance(value, list):
        return [n for one in value for n in _distances(one)]
    return [float(value)] if isinstance(value, int | float) else []


def test_manifest_of_tensorflow_is_as_it_was(built):
    with PlaceIndex.open(built / "city.index") as index:
        encoder = index.manifest.encoder
    assert encoder.engine == "tensorflow"
    assert "engine" not in encoder.to_dict()
    other = dataclasses.replace(encoder, engine="openvino")
    assert type(encoder).from_dict(other.to_dict()) == other
