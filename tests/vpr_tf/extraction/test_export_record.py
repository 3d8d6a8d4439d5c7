"""The record of an export: read back as it was written, or one clear error."""

import dataclasses

import pytest

from vpr_tf.config import AdaptedTo, Preprocessing
from vpr_tf.extraction import EncoderError
from vpr_tf.extraction.export_record import Calibration, ExportRecord, Parity
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_values import from_stored

FLOAT32 = ExportRecord(
    format_version=1,
    format="openvino",
    precision="float32",
    descriptor_dim=8,
    encoder_fingerprint="f" * 64,
    description="an encoder",
    preprocessing=Preprocessing("square", 224),
    files={name: StoredFile(1, 2, "0" * 64) for name in ("model.xml", "model.bin")},
    parity=Parity("photos", 32, 1e-7, 1.0),
)
INT8 = dataclasses.replace(
    FLOAT32,
    precision="int8",
    preprocessing=Preprocessing("square", 224, "int8"),
    calibration=Calibration("photos", 280, "1" * 64),
    adapted_to=AdaptedTo("night", "2" * 64, is_folder=True),
)


@pytest.mark.parametrize("record", [FLOAT32, INT8])
def test_record_is_read_as_it_was_written(record):
    assert from_stored(ExportRecord, dataclasses.asdict(record)) == record


def test_fingerprint_is_that_of_the_source_in_float32_only():
    assert FLOAT32.fingerprint == FLOAT32.encoder_fingerprint
    other_files = INT8.files | {"model.bin": StoredFile(1, 2, "1" * 64)}
    other = dataclasses.replace(INT8, files=other_files)
    source = dataclasses.replace(INT8, encoder_fingerprint="e" * 64)
    found = {each.fingerprint for each in (FLOAT32, INT8, other, source)}
    assert len(found) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"format": "savedmodel"},
        {"format": "onnx"},
        {"format": "savedmodel", "files": {"": StoredFile(1, 2, "0" * 64)}},
        {"precision": "int8"},
        {"precision": "mixed_bfloat16"},
        {"descriptor_dim": 0},
        {"descriptor_dim": 10**15},
        {
            "format": "onnx",
            "files": {"model.onnx": StoredFile(1, 2, "0" * 64)},
            "precision": "int8",
            "preprocessing": Preprocessing("square", 224, "int8"),
        },
        {"files": {"model.xml": StoredFile(1, 2, "0" * 64)}},
    ],
)
def test_fields_that_do_not_go_together_are_refused(change):
    with pytest.raises(EncoderError, match="Received"):
        dataclasses.replace(FLOAT32, **change)
