"""`configs/production_resnet152_512.yaml` and the page that uses it."""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest

from vpr_tf.cli.main import command_module, parse
from vpr_tf.config import load_config
from vpr_tf.models.released import released_encoder

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "configs" / "production_resnet152_512.yaml"


def page_commands():
    page = (ROOT / "docs" / "geopin.md").read_text().replace("\\\n", " ")
    lines = re.findall(r"^    vpr (.*)$", page, re.MULTILINE)
    shown = f"--config {CONFIG.relative_to(ROOT)}"
    return [line.replace("$C", shown) for line in lines]


def test_the_encoder_is_the_released_one():
    config = load_config(CONFIG)
    released = released_encoder(config.encoder.weights)
    assert config.encoder.backbone == released.backbone == "ResNet152"
    assert config.encoder.descriptor_dim == released.descriptor_dim == 512
    assert config.encoder.aggregation.name == released.aggregation["name"]
    assert config.evaluation.method == "retrieval"
    assert config.localization.rerank.when == "never"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the lines of the page need to be there."""
    for name in ("data/area/photos", "area.index", "configs"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(CONFIG, tmp_path / "configs")
    for name in (
        "ResNet152_512_cosplace.pth",
        "cosplace_resnet152_512.keras",
        "keys.json",
    ):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", page_commands())
def test_every_line_of_the_page_is_a_command(line):
    words = shlex.split(line)
    count = 1 if words[1].startswith("-") else 2
    name, rest = " ".join(words[:count]), words[count:]
    options = parse(importlib.import_module(command_module(name)), rest, "vpr")
    if "--config" in rest:
        assert Path(options.config) == CONFIG.relative_to(ROOT)


def test_the_page_goes_from_photos_to_answers():
    lines = page_commands()
    assert lines[0].startswith("photos check ")
    assert any(line.startswith("index calibrate ") for line in lines)
    assert any(line.startswith("serve ") for line in lines)
