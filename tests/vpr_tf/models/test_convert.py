import collections
import json
import re

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.command_line import command
from tests.vpr_tf.models.released_stand_in import (
    NAME,
    cosplace_bytes,
    random_encoder,
)
from tests.vpr_tf.models.torch_weights.legacy_pth_files import contiguous, fake_torch
from tests.vpr_tf.models.torch_weights.zip_pth_files import zip_bytes
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.conversion import check_official, natural_layout
from vpr_tf.models.torch_weights.state_dict import (
    BOQ,
    BOQ_OF_DINOV2,
    COSPLACE,
    DIVIDE_AND_CLASSIFY,
    MODEL_AND_AGGREGATOR,
    to_torch_state_dict,
)

main = command("convert")


@pytest.fixture(scope="module")
def original():
    return random_encoder()


@pytest.fixture(scope="module")
def pth(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "ResNet18_32_cosplace.pth"
    with pytest.MonkeyPatch.context() as monkeypatch:
        fake_torch(monkeypatch)
        path.write_bytes(cosplace_bytes(original))
    return path


@pytest.fixture(scope="module")
def converted(pth):
    """The `.keras` file of the released weights."""
    output = pth.with_name("a.keras")
    arguments = f"--checkpoint {pth} --name {NAME} --output {output}"
    assert main(arguments.split()) == 0
    return output


def run(*arguments):
    return main([str(argument) for argument in arguments])


def write_config(path, **encoder):
    content = {"name": "x", "dataset": {"path": "x"}, "encoder": encoder}
    path.write_text(json.dumps(content))  # which is YAML too
    return path


def test_released_checkpoint_and_back_are_bit_exact(pth, converted, original, tmp_path):
    model = keras.saving.load_model(converted)
    for ours, theirs in zip(model.get_weights(), original.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    output = tmp_path / "new" / "a.safetensors"
    assert run("--to-torch", "--checkpoint", converted, "--output", output) == 0
    received = load_file(output)
    expected = to_torch_state_dict(original, COSPLACE)
    assert set(received) == set(expected)
    for name, array in expected.items():
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape
        np.testing.assert_array_equal(received[name], array)
    assert received["backbone.1.num_batches_tracked"].dtype == np.int64


def test_few_lines_say_what_was_done(pth, tmp_path, capsys):
    output = tmp_path / "a.weights.h5"
    assert run("--checkpoint", pth, "--name", NAME, "--output", output) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("123 arrays (cosplace), 0 heads.")
    print(lines)
    assert "11,202,529 parameters, all set; descriptors of 32 values" in lines[1]
    assert lines[2].startswith(f"Wrote {output} (sha256 ")
    assert len(lines) == 3
    model = GeoLocalizationNet("ResNet18", 32)
    model.load_weights(output)


def test_training_checkpoint_with_heads(original, tmp_path, monkeypatch, capsys):
    fake_torch(monkeypatch)
    arrays = to_torch_state_dict(original, COSPLACE)
    rng = np.random.default_rng(0)
    centres = [rng.random((n, 32), "float32") for n in (7, 9)]
    named = {f"module.{name}": array for name, array in arrays.items()}
    tensors = {
        name: contiguous(str(number), array)
        for number, (name, array) in enumerate(
            [*named.items(), ("head0", centres[0]), ("head1", centres[1])]
        )
    }
    storages = [tensor.arguments[0] for tensor in tensors.values()]
    content = {
        "epoch_num": 3,
        "classifiers_state_dict": [
            collections.OrderedDict(weight=tensors.pop(name))
            for name in ("head0", "head1")
        ],
        "model_state_dict": tensors,
        "best_val_recall1": np.float64(1.5),
    }
    checkpoint = tmp_path / "last_checkpoint.pth"
    checkpoint.write_bytes(zip_bytes(content, storages))
    config = write_config(tmp_path / "a.yaml", backbone="ResNet18", descriptor_dim=32)
    output, heads = tmp_path / "a.keras", tmp_path / "heads.npz"
    arguments = ("--checkpoint", checkpoint, "--config", config, "--output", output)
    assert run(*arguments, "--heads", heads) == 0
    assert "2 groups (7, 9 classes)" in capsys.readouterr().out
    with np.load(heads, allow_pickle=False) as received:
        for group, expected in enumerate(centres):
            np.testing.assert_array_equal(received[f"head_{group}"], expected)
    model = keras.saving.load_model(output)
    for ours, theirs in zip(model.get_weights(), original.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_heads_of_a_released_checkpoint_are_an_error(pth, tmp_path, capsys):
    output = tmp_path / "a.keras"
    arguments = ("--checkpoint", pth, "--name", NAME, "--output", output)
    assert run(*arguments, "--heads", tmp_path / "h.npz") == 2
    assert "a checkpoint without heads" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--checkpoint {pth} --output a.keras", "either --name .* neither"),
        ("--checkpoint {pth} --output a.keras --name x", "No released encoder"),
        ("--checkpoint {pth} --output a.keras --config no.yaml", "No config file"),
        ("--checkpoint no.pth --output a.keras --name {name}", "no file at no.pth"),
        ("--checkpoint {pth} --output a.h5 --name {name}", "must be a .keras or"),
        (
            "--to-torch --checkpoint no.keras --output a.safetensors",
            "no file at",
        ),
        ("--to-torch --checkpoint {pth} --output a.pth", "must be a .safetensors"),
        ("--to-torch --checkpoint {pth} --output a.safetensors", "keras"),
        (
            "--to-torch --checkpoint {keras} --output a.safetensors --layout megaloc",
            "megaloc aggregates by optimal_transport .*Received: gem",
        ),
    ],
)
def test_bad_input_is_status_2_and_one_line(
    pth, converted, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    filled = arguments.format(pth=pth, name=NAME, keras=converted)
    assert main(filled.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert len(error.splitlines()) == 1
    assert re.search(message, error)
    assert list(tmp_path.iterdir()) == []


def test_backbone_alone_is_no_encoder(tmp_path, capsys):
    save_file({"conv1.weight": np.zeros((64, 3, 7, 7), "f4")}, tmp_path / "a.pth")
    output = tmp_path / "a.keras"
    assert (
        run("--checkpoint", tmp_path / "a.pth", "--name", NAME, "--output", output) == 2
    )
    assert "backbone alone" in capsys.readouterr().err


def test_aggregation_that_the_official_code_lacks():
    model = GeoLocalizationNet("ResNet18", 8, aggregation="average")
    with pytest.raises(ValueError, match=r"=False\. Received: average"):
        check_official(model, DIVIDE_AND_CLASSIFY)
    boq = GeoLocalizationNet("ResNet18", None, aggregation="boq", last_stage=0)
    with pytest.raises(ValueError, match=r"boq_dinov2 has a transformer .* ResNet18"):
        check_official(boq, BOQ_OF_DINOV2)
    with pytest.raises(ValueError, match="No official code computes"):
        natural_layout(model)


@pytest.mark.parametrize(
    ("options", "layout"),
    [
        ({"aggregation": "gem"}, COSPLACE),
        (
            {"aggregation": {"name": "average", "normalize_features": False}},
            DIVIDE_AND_CLASSIFY,
        ),
        (
            {
                "descriptor_dim": None,
                "aggregation": {"name": "mixvpr", "out_channels": 8},
                "last_stage": 3,
                "image_shape": (64, 64, 3),
            },
            MODEL_AND_AGGREGATOR,
        ),
        (
            {
                "descriptor_dim": None,
                "aggregation": {"name": "boq", "out_channels": 64},
                "last_stage": 3,
            },
            BOQ,
        ),
    ],
)
def test_layout_of_the_official_code(options, layout):
    model = GeoLocalizationNet("ResNet18", **{"descriptor_dim": 8, **options})
    assert natural_layout(model) is layout
