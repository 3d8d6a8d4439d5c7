"""Exports for other engines: what is written, measured and refused."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import vpr_tf as vpr
from tests.command_line import command
from vpr_tf.config import ConfigError, Preprocessing, config_from_values
from vpr_tf.evaluation.evaluate import evaluate_model
from vpr_tf.export import ExportError, engine_export
from vpr_tf.export.engine_export import EngineExport
from vpr_tf.export.formats import FORMATS, what_is_exported
from vpr_tf.extraction import EncoderError, FeatureExtractor, load_extractor
from vpr_tf.extraction.export_record import PRECISIONS, ExportRecord
from vpr_tf.extraction.photo_sources import GivenPhotos
from vpr_tf.models import encoder_fingerprint
from vpr_tf.stored_values import from_stored, read_json

main = command("export")
PREPARED = Preprocessing("square", 64)


@pytest.fixture(scope="module")
def extractor():
    keras.utils.set_random_seed(0)
    encoder = vpr.GeoLocalizationNet("EfficientNetLite0", 8, last_stage=2)
    return FeatureExtractor(encoder, PREPARED, description="an encoder")


@pytest.fixture(scope="module")
def photos():
    """Smooth pictures: noise would fill the whole range of every activation."""
    rng = np.random.default_rng(0)
    coarse = rng.random((100, 4, 4, 3), np.float32)
    return GivenPhotos([np.kron(image, np.ones((16, 16, 1))) for image in coarse])


@pytest.fixture
def export(extractor, tmp_path):
    values = {
        "name": "city",
        "dataset": {"path": "none"},
        "savedmodels_dir": str(tmp_path),
    }
    config = config_from_values(values, [])

    def make(model_format, precision="float32", **images):
        return EngineExport(extractor, config, model_format, precision, **images)

    return make


@pytest.mark.parametrize("model_format", ["onnx", "openvino", "litert"])
def test_float32_is_the_encoder_and_a_model_everywhere(
    model_format, export, extractor, photos, tmp_path
):
    pytest.importorskip("tf2onnx")
    pytest.importorskip(model_format.replace("litert", "ai_edge_litert"))
    version, record = export(model_format, photos=photos).write()
    assert version == tmp_path / f"city-{model_format}" / "1"
    assert from_stored(ExportRecord, read_json(version / "encoder.json")) == record
    assert record.parity.num_images == 32
    assert record.parity.max_difference < 1e-5
    assert record.parity.min_cosine == pytest.approx(1)
    assert record.fingerprint == encoder_fingerprint(extractor.encoder)
    loaded = load_extractor(None, version.parent)
    assert loaded.preprocessing == PREPARED
    image = np.random.default_rng(1).random((50, 70, 3))
    np.testing.assert_allclose(
        loaded.extract([image]), extractor.extract([image]), atol=1e-5
    )


def test_half_the_bytes_in_float16(export, extractor):
    version, record = export("litert", "float16").write()
    assert version.parent.name == "city-litert-float16"
    assert record.preprocessing.precision == "mixed_float16"
    float32_bytes = 4 * extractor.encoder.count_params()
    assert record.files["model.tflite"].num_bytes < 0.7 * float32_bytes
    assert record.fingerprint != encoder_fingerprint(extractor.encoder)
    assert record.parity.min_cosine > 0.999
    assert "no photos were given" in record.parity.images


def test_int8_is_from_the_fourth_convolution_to_the_last(export, photos, monkeypatch):
    pytest.importorskip("nncf")
    openvino = pytest.importorskip("openvino")
    # Of random weights, and of 8 dimensions, 8 bits lose more.
    monkeypatch.setitem(engine_export.SMALLEST_COSINES, "int8", 0.8)
    version, record = export("openvino", "int8", calibration=photos).write()
    assert record.calibration.num_images == 100
    assert len(record.calibration.sha256) == 64
    assert record.recall is None
    assert record.parity.min_cosine > 0.8
    assert record.parity.images == "32 of the 100 images of photos, seed 0"
    model = openvino.Core().read_model(version / "model.xml")
    operations = [one.get_type_name() for one in model.get_ordered_ops()]
    quantized = [at for at, one in enumerate(operations) if one == "FakeQuantize"]
    convolutions = [at for at, one in enumerate(operations) if "Convolution" in one]
    assert len(quantized) >= len(convolutions[3:])
    assert convolutions[2] < min(quantized)
    assert max(quantized) < max(convolutions) < operations.index("MatMul")
    assert str(version.parent) not in (version / "model.xml").read_text()


@pytest.mark.parametrize("count", [0, 99])
def test_too_few_photos_to_calibrate_on_are_refused(count, export, tmp_path):
    pytest.importorskip("openvino")
    images = [np.zeros((8, 8, 3), np.uint8)] * count
    with pytest.raises(ExportError, match=f"100 photos or more.*Received: {count}$"):
        export("openvino", "int8", calibration=GivenPhotos(images)).write()
    assert not list(tmp_path.glob("*/*"))


def test_another_function_than_that_of_keras_is_refused(
    export, photos, tmp_path, monkeypatch
):
    write = engine_export.write_model

    def write_another(model_format, encoder, *arguments):
        other = type(encoder).from_config(encoder.get_config())
        write(model_format, other, *arguments)

    monkeypatch.setattr(engine_export, "write_model", write_another)
    with pytest.raises(ExportError, match=r"within 1e-05. Received: a difference of"):
        export("litert", photos=photos).write()
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("precision", "received", "what"),
    [
        ("float32", [np.nan, 0.0], "a difference of nan"),
        ("float16", [np.nan, 0.0], "at least 0.99. Received: nan"),
        ("float16", [0.98, 0.199], "at least 0.99. Received: 0.9800"),
        ("bfloat16", [0.9, 0.436], "at least 0.95. Received: 0.9000"),
        ("int8", [0.8, 0.6], "at least 0.9. Received: 0.8000"),
    ],
)
def test_descriptors_unlike_those_of_keras_are_refused(
    precision, received, what, export, photos
):
    def gives(*descriptor):
        return SimpleNamespace(
            forward=lambda: lambda images: np.tile(np.float32(descriptor), (4, 1)),
            preprocessing=PREPARED,
        )

    wanted = export("openvino", precision, photos=photos)
    assert wanted._parity(gives(1, 0), gives(1, 0)).min_cosine == 1
    with pytest.raises(ExportError, match=what):
        wanted._parity(gives(1, 0), gives(*received))


def test_the_file_is_measured_whatever_engine_is_chosen(export, photos):
    with vpr.using_engine("tensorflow"):
        _, record = export("litert", photos=photos).write()
    assert record.parity.max_difference < 1e-5


def test_salad_of_any_size_is_refused(export):
    any_size = Preprocessing("shorter_side", 224)
    salad = SimpleNamespace(
        encoder=SimpleNamespace(aggregation_name="optimal_transport"),
        preprocessing=any_size,
    )
    wanted = dataclasses.replace(export("litert"), extractor=salad)
    with pytest.raises(ExportError, match=r"must be square. Received: shorter_side"):
        wanted.write()


def test_loss_of_recall_by_8_bits_is_measured(
    export, extractor, small_training_dataset, monkeypatch
):
    recalls = iter([79.9, 79.4, 79.9, 79.3])

    def evaluate(*arguments, **options):
        result = evaluate_model(*arguments, **options, progress=False)
        assert list(result.recalls) == [1]
        return dataclasses.replace(result, recalls={1: next(recalls)})

    monkeypatch.setattr(engine_export, "evaluate_model", evaluate)
    wanted = export("litert", "int8", dataset=small_training_dataset)
    assert "val-queries" in wanted._parity_sample().text
    recall = wanted._recall(extractor, extractor)
    assert (recall.before, recall.after, recall.num_queries) == (79.9, 79.4, 8)
    with pytest.raises(ExportError, match=r"79.9 in float32, 79.3 in int8 on val"):
        wanted._recall(extractor, extractor)


def test_transformers_are_not_quantised_by_this_rule():
    openvino = pytest.importorskip("openvino")
    from vpr_tf.export.quantization import names_left_in_float32

    one = openvino.opset13.parameter([1, 3, 8, 8])
    kernel = openvino.opset13.constant(np.zeros((2, 3, 4, 4), np.float32))
    zeros = [0, 0]
    patches = openvino.opset13.convolution(one, kernel, [4, 4], zeros, zeros, [1, 1])
    with pytest.raises(EncoderError, match=r"made of convolutions. Received: 1 of"):
        names_left_in_float32(openvino.Model([patches], [one]))


REFUSED = [
    *(("savedmodel", precision) for precision in ("bfloat16", "float16", "int8")),
    *(("onnx", precision) for precision in ("bfloat16", "float16", "int8")),
    ("litert", "bfloat16"),
]


@pytest.mark.parametrize(("model_format", "precision"), REFUSED)
def test_pair_that_cannot_be_is_refused_with_what_can(model_format, precision):
    instead = f"--format openvino with --precision {precision}, or --precision float32"
    with pytest.raises(ConfigError, match=instead):
        what_is_exported(model_format, precision)


def test_all_other_pairs_are_explained():
    pairs = {(one, precision) for one in FORMATS for precision in PRECISIONS}
    assert all(what_is_exported(*pair) for pair in pairs - set(REFUSED))


def test_command_says_what_was_measured(tmp_path, capsys):
    config = tmp_path / "city.yaml"
    config.write_text(
        "{name: city, dataset: {path: not_read}, evaluation: {resize: square, "
        "image_size: 64}, encoder: {backbone: EfficientNetLite0, descriptor_dim: 8, "
        "weights: none, last_stage: 2}}"
    )
    words = ["--config", str(config), "--output", str(tmp_path), "--format", "litert"]
    assert main([*words, "--precision", "int8"]) == 0
    told = capsys.readouterr().out
    assert f"litert: {tmp_path / 'city-litert-int8' / '1'}, 8 dimensions" in told
    assert "Compared with Keras: largest difference" in told
    assert "R@1 was not checked: there is no dataset" in told
    assert main([*words, "--precision", "bfloat16"]) == 2
    assert "LiteRT has no bfloat16" in capsys.readouterr().err
