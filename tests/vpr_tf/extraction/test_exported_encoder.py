"""Exports for other engines: read, and refused where they do more than compute."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.hostile.exports import (
    export_files,
    onnx_model,
    openvino_model,
    with_dims,
    with_operation,
    with_weights_elsewhere,
)
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import EncoderError, find_model, load_extractor
from vpr_tf.extraction.errors import UntrustedModelError
from vpr_tf.extraction.exported_encoder import ExportedEncoder, loses_refusal
from vpr_tf.layers import SALAD
from vpr_tf.models.aggregations import AGGREGATION_NAMES, aggregation_spec
from vpr_tf.trusted_models import trusting_models

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
pytest.importorskip("onnxruntime")


def write(folder, files):
    for name, content in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def onnx_export(folder, model):
    return write(folder, export_files("onnx", {"model.onnx": model}))


def tflite_model(*names, custom=None):
    """Returns a graph of one tensor and no sense with these operations."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    codes = []
    for name in names:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.customCode = custom
        codes.append(code)
    model = schema.ModelT()
    model.version, model.operatorCodes = 3, codes
    model.subgraphs = [schema.SubGraphT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_export_is_a_model(tmp_path, engine):
    if engine == "openvino":
        pytest.importorskip(engine)
        files = export_files("openvino", openvino_model())
    else:
        files = export_files("onnx", {"model.onnx": onnx_model()})
    write(tmp_path / "city" / "2", files)
    source = find_model(tmp_path / "city")
    assert (source.kind, source.path.name, source.name) == ("export", "2", "city_2")
    extractor = load_extractor(model=tmp_path / "city")
    assert extractor.engine == engine
    assert (extractor.descriptor_dim, extractor.fingerprint) == (3, "f" * 64)
    assert str(extractor.preprocessing) == "square 16, float32"
    colour = PIXELS.mean(axis=(0, 1)) * [1, 2, 3]
    expected = colour / np.linalg.norm(colour)
    np.testing.assert_allclose(extractor.extract([PIXELS])[0], expected, atol=1e-2)
    with pytest.raises(EncoderError, match="TensorFlow computes no export"):
        load_extractor(model=tmp_path / "city", engine="tensorflow")


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (lambda m: with_operation(m, "If", ""), "the operation If"),
        (lambda m: with_operation(m, "Loop", ""), "the operation Loop"),
        (lambda m: with_operation(m, "FusedConv", "com.microsoft"), "com.microsoft"),
        (lambda m: with_weights_elsewhere(m, "/etc/passwd"), "in another file"),
        (lambda m: with_dims(m, 2**40), "weights that lack values"),
        (lambda m: with_dims(m, -3), "weights that are no numbers"),
        (lambda m: b"", "no ONNX model"),
        (lambda m: m[:40], "no ONNX model"),
    ],
)
def test_onnx_that_does_more_is_refused(tmp_path, model, what):
    folder = onnx_export(tmp_path / "1", model(onnx_model()))
    with pytest.raises(UntrustedModelError, match=what) as caught:
        load_extractor(model=folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_whoever_trusts_a_model_passes_it(tmp_path):
    model = with_operation(onnx_model(), "Gelu", "com.microsoft")
    folder = onnx_export(tmp_path / "1", model)
    with pytest.raises(UntrustedModelError):
        ExportedEncoder.from_folder(folder)
    with trusting_models():
        extractor = load_extractor(model=folder)
        assert extractor.extract([PIXELS]).shape == (1, 3)


def test_onnx_model_of_another_encoder_is_refused(tmp_path):
    import onnx

    model = onnx.ModelProto.FromString(onnx_model())
    for value, what in (("e" * 64, "that of 'eeee"), (None, "that of 'none'")):
        del model.metadata_props[:]
        if value is not None:
            model.metadata_props.add(key="fingerprint", value=value)
        folder = onnx_export(tmp_path / what, model.SerializeToString())
        with pytest.raises(EncoderError, match=f"fingerprint ffff.*Received: {what}"):
            load_extractor(model=folder)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('"opset1"', '"extension"', "the operation extension"),
        ('type="Multiply"', 'type="ReadValue"', "ReadValue"),
        ("<net ", "<!DOCTYPE a><net ", "no plain XML"),
        ("<layers>", "<layers><a>", "no XML"),
        ("<layers>", "<layers><body/>", "inside an operation"),
    ],
)
def test_openvino_that_does_more_is_refused(tmp_path, before, after, what):
    pytest.importorskip("openvino")
    contents = dict(openvino_model())
    graph = contents["model.xml"].decode()
    assert before in graph
    contents["model.xml"] = graph.replace(before, after).encode()
    folder = write(tmp_path / "1", export_files("openvino", contents))
    with pytest.raises(UntrustedModelError, match=what):
        ExportedEncoder.from_folder(folder)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (tflite_model("CUSTOM", custom="FlexWriteFile"), "CUSTOM FlexWriteFile"),
        (tflite_model("ADD", "WHILE", "CALL_ONCE"), "WHILE, the operation CALL_ONCE"),
        (tflite_model("VAR_HANDLE"), "VAR_HANDLE"),
        (tflite_model("ADD")[:30], "no LiteRT model"),
        (b"TFL3" * 9, "no LiteRT model"),
    ],
)
def test_tflite_that_does_more_is_refused(tmp_path, model, what):
    folder = write(tmp_path / "1", export_files("litert", {"model.tflite": model}))
    with pytest.raises(UntrustedModelError, match=what):
        ExportedEncoder.from_folder(folder)
    harmless = export_files("litert", {"model.tflite": tflite_model("ADD")})
    ExportedEncoder.from_folder(write(tmp_path / "2", harmless))


def test_damage_is_one_error(tmp_path):
    folder = onnx_export(tmp_path / "1", onnx_model())
    path = folder / "model.onnx"
    with pytest.raises(EncoderError, match="Pass the folder that it lies in"):
        find_model(path)
    path.write_bytes(onnx_model()[:-1] + b"x")
    with pytest.raises(EncoderError, match=r"model.onnx is damaged: it has another"):
        load_extractor(model=folder)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(EncoderError, match="Received: a symbolic link"):
        load_extractor(model=folder)
    path.unlink()
    with pytest.raises(EncoderError, match=r"model.onnx is damaged: it cannot be read"):
        load_extractor(model=folder)
    record = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps(record | {"files": {}}))
    with pytest.raises(EncoderError, match=r"encoder.json is no record of an export"):
        load_extractor(model=folder)


def test_salad_of_any_size_loses_its_refusal_of_small_images():
    def loses(name, resize):
        encoder = SimpleNamespace(aggregation_name=name)
        return loses_refusal(encoder, Preprocessing(resize, 224))

    (salad,) = (n for n in AGGREGATION_NAMES if aggregation_spec(n).layer is SALAD)
    assert loses(salad, "native")
    assert not loses(salad, "square")
    assert not loses("gem", "native")
