import dataclasses
import json
from pathlib import Path

from vpr_tf.config import AUGMENTATIONS, KERAS_LAYERS
from vpr_tf.config.reference import config_reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "config.md"


def test_the_page_is_up_to_date():
    command = "python -m vpr_tf.config.reference > docs/config.md"
    assert PAGE.read_text() == config_reference(), f"Write it anew: {command}"


def test_fields_have_defaults_and_comments():
    page = config_reference()
    for line in (
        "| `cell_size_m` | `10` | M |",
        "| `max_images_per_level` | `[500, 200, 100]` | of coarse, middle and fine",
        "### `direct_regression`, `unit_regression`",
        "| `scale` | `30.0` | s |",
        "## `build.val` and `build.tests.NAME`",
    ):
        assert line in page


def test_the_page_of_training_has_every_augmentation_and_its_defaults():
    page = PAGE.with_name("training.md").read_text()
    for name, method in AUGMENTATIONS.items():
        (row,) = [
            line for line in page.splitlines() if line.startswith(f"| `{name}` |")
        ]
        for field in dataclasses.fields(method):
            if field.default is not dataclasses.MISSING:
                assert f"`{field.name}: {json.dumps(field.default)}`" in row, row
    assert all(layer in page for layer in KERAS_LAYERS)
