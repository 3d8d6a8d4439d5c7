import json

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.command_line import command
from tests.vpr_tf.models.released_stand_in import NAME, random_encoder
from vpr_tf.models.parity.layer_outputs import LayerOutput
from vpr_tf.models.parity.report import Comparison, compare, report_table
from vpr_tf.models.torch_weights.state_dict import COSPLACE, to_torch_state_dict

main = command("models parity")


def numpy_stem(images, state_dict):
    """conv1 and bn1 of a ResNet in torch's layout, in float64."""
    x = (images - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (7, 7), axis=(1, 2))
    windows = windows[:, ::2, ::2]  # (batch, rows, columns, channels, 7, 7)
    conv = np.einsum("brcikl,oikl->borc", windows, state_dict["backbone.0.weight"])
    weight, bias, mean, var = (
        state_dict[f"backbone.1.{name}"].astype("f8")[:, None, None]
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    return conv, (conv - mean) / np.sqrt(var + 1e-5) * weight + bias


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A checkpoint, and the arrays that a hook would have recorded for it."""
    model = random_encoder()
    state_dict = to_torch_state_dict(model, COSPLACE)
    folder = tmp_path_factory.mktemp("parity")
    save_file(state_dict, folder / "a.safetensors")
    images = np.random.default_rng(0).random((2, 64, 96, 3), "float32")
    conv1, bn1 = numpy_stem(images, state_dict)
    layers = [model.get_layer("aggregation").output, model.output]
    gem, descriptors = keras.Model(model.input, layers)(images)
    return folder / "a.safetensors", {
        "images": images,
        "backbone.0": conv1,
        "backbone.1": bn1,
        "backbone.2": np.maximum(bn1, 0),  # no layer of its own
        "aggregation.1": gem.numpy()[:, :, None, None],
        "output": descriptors.numpy(),
    }


def report(recorded, tmp_path, *arguments, **changes):
    checkpoint, arrays = recorded
    np.savez(tmp_path / "activations.npz", **{**arrays, **changes})
    options = ("--activations", tmp_path / "activations.npz", *arguments)
    arguments = ("--name", NAME, "--checkpoint", checkpoint, *options)
    return main([str(argument) for argument in arguments])


def test_equal_layers_are_status_0(recorded, tmp_path, capsys):
    assert report(recorded, tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Not recorded: backbone.4.0.conv1, ")
    rows = [line.split() for line in lines[4:] if line.startswith(("b", "a", "o"))]
    assert [row[:3] for row in rows] == [
        ["backbone.0", "conv1_conv", "2x32x48x64"],
        ["backbone.1", "conv1_bn", "2x32x48x64"],
        ["aggregation.1", "aggregation", "2x512"],
        ["output", "geolocalization_net", "2x32"],
    ]
    assert lines[-1].startswith("4 compared, 0 above 0.0001; largest difference")


def test_wrong_layer_is_marked_and_status_1(recorded, tmp_path, capsys):
    wrong = recorded[1]["backbone.1"] * 1.001
    other = recorded[1]["output"] + 0.1
    assert report(recorded, tmp_path, **{"backbone.1": wrong, "output": other}) == 1
    out = capsys.readouterr().out
    marked = [line.split()[0] for line in out.splitlines() if "<-" in line]
    assert marked == ["backbone.1", "output"]
    assert out.count("first above 0.0001") == 1
    assert "4 compared, 2 above" in out


def test_tolerance(recorded, tmp_path):
    wrong = recorded[1]["backbone.1"] * 1.001
    assert report(recorded, tmp_path, "--tolerance", 0.01, **{"backbone.1": wrong}) == 0


def test_golden_file(golden_dir, capsys):
    golden = golden_dir / "network_VGG16_64.npz"
    arguments = ["--golden", str(golden), "--golden-dir", str(golden_dir)]
    assert main(["--name", "cosplace_vgg16_64", *arguments]) == 0
    out = capsys.readouterr().out
    for size in ("224x224", "192x320"):
        assert f"features_first_8_channels_{size}" in out
    assert "4 compared, 0 above" in out


def test_golden_file_of_other_weights_is_status_1(golden_dir, recorded, capsys):
    golden = str(golden_dir / "network_ResNet18_512.npz")
    arguments = ["--golden", golden, "--checkpoint", str(recorded[0])]
    arguments += ["--golden-dir", str(golden_dir)]
    assert main(["--name", NAME, *arguments]) == 1
    assert "official shape (2, 512)" in capsys.readouterr().out


def test_golden_file_of_any_name_and_place(golden_dir, recorded, tmp_path, capsys):
    golden = tmp_path / "values.npz"
    golden.write_bytes((golden_dir / "network_ResNet18_512.npz").read_bytes())
    arguments = ["--name", NAME, "--golden", str(golden)]
    arguments += ["--golden-dir", str(golden_dir)]
    assert main(arguments) == 2
    assert "pass the weights by --checkpoint" in capsys.readouterr().err
    assert main([*arguments, "--checkpoint", str(recorded[0])]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--name {name}", "Pass either --activations or --golden"),
        ("--name {name} --golden {pth}", "--golden needs --golden-dir"),
        ("--name {name} --golden a.npz --golden-dir .", "no file at a.npz"),
        (
            "--name {name} --golden {pth} --golden-dir .",
            "must be a file of NumPy arrays (.npz)",
        ),
        ("--name {name} --activations {pth}", "needs the --checkpoint"),
        ("--name {name} --activations a.npz --checkpoint {pth}", "no file at a.npz"),
        ("--golden {pth} --golden-dir .", "either --name"),
    ],
)
def test_bad_input_is_status_2(recorded, capsys, arguments, message):
    assert main(arguments.format(name=NAME, pth=recorded[0]).split()) == 2
    assert message in capsys.readouterr().err


def test_malformed_recordings_are_status_2(recorded, tmp_path, capsys):
    assert report(recorded, tmp_path, images=np.zeros((2, 3, 64, 64))) == 2
    assert "must hold `images`" in capsys.readouterr().err
    np.savez(tmp_path / "a.npz", images=np.zeros((1, 64, 64, 3)), conv1=np.zeros(3))
    arguments = ["--checkpoint", str(recorded[0]), "--activations"]
    assert main(["--name", NAME, *arguments, str(tmp_path / "a.npz")]) == 2
    assert "none of the modules backbone.0" in capsys.readouterr().err


def test_hook_states_the_preprocessing_of_the_backbone(tmp_path, capsys):
    content = {
        "name": "x",
        "dataset": {"path": "x"},
        "encoder": {"backbone": "EfficientNetLite0"},
    }
    (tmp_path / "a.yaml").write_text(json.dumps(content))
    config = ["--config", str(tmp_path / "a.yaml")]
    assert main(["--print-hook", *config]) == 0
    hook = capsys.readouterr().out
    compile(hook, "hook", "exec")
    assert f"torch.tensor({[127 / 255] * 3})" in hook


def output(values, activation=None):
    return LayerOutput("module", "layer", np.asarray(values, "f4"), activation)


def test_error_is_relative_to_the_largest_official_value():
    comparison = compare(output([[1.0, 4.0]]), np.array([[1.5, 5.0]]))
    assert comparison.error == pytest.approx(0.2)


def test_maps_come_in_torchs_order():
    official = np.random.default_rng(0).random((2, 3, 4, 4))
    same = compare(output(official.transpose(0, 2, 3, 1)), official)
    assert same.error < 1e-6
    assert compare(output(official[:, :, :, :3]), official).error == np.inf


def test_activation_inside_the_keras_layer_is_applied_to_the_official_value():
    comparison = compare(output([[0.0, 2.0]], keras.ops.relu), np.array([[-3.0, 2.0]]))
    assert comparison.error == 0


@pytest.mark.parametrize(
    ("ours", "official", "error"),
    [
        ([[np.nan]], [[1.0]], np.inf),
        ([[1.0]], [[np.inf]], np.inf),
        ([[0.0]], [[0.0]], 0.0),
        ([[1.0]], [[0.0]], np.inf),
        ([[1.0, 2.0]], [[1.0]], np.inf),
    ],
)
def test_values_that_cannot_be_compared(ours, official, error):
    assert compare(output(ours), np.array(official)).error == error


def test_table_marks_only_the_first():
    rows = [Comparison(f"m{n}", "l", (1, 2), e) for n, e in enumerate((0.0, 1.0, 2.0))]
    lines = report_table(rows, 0.5).splitlines()[2:]
    assert [("<-" in line, "first" in line) for line in lines] == [
        (False, False),
        (True, True),
        (True, False),
    ]
