"""`import vpr_tf` is enough for Keras to load a file of the project."""

import subprocess
import sys

import keras
import pytest

import vpr_tf.layers  # noqa: F401 - registers its classes
from vpr_tf._keras_registration import CLASSES, PACKAGE
from vpr_tf.models import GeoLocalizationNet


def test_all_registered_classes_are_known():
    for name, path in CLASSES.items():
        found = keras.saving.get_registered_object(f"{PACKAGE}>{name}")
        assert isinstance(found, type), name
        assert found.__name__ == path.rpartition(".")[2]
    registered = {
        keras.saving.get_registered_name(cls)
        for base in (keras.layers.Layer, keras.Model)
        for cls in all_subclasses(base)
        if cls.__module__.startswith("vpr_tf.")
    }
    known = {name for name in registered if name.startswith(f"{PACKAGE}>")}
    assert known == {f"{PACKAGE}>{name}" for name in CLASSES}


def all_subclasses(base: type) -> set[type]:
    below = set(base.__subclasses__())
    return below.union(*map(all_subclasses, below))


@pytest.mark.parametrize("imports", ["vpr_tf, keras", "keras, vpr_tf"])
def test_keras_loads_a_file_after_import_of_the_package(imports, tmp_path):
    model = GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0)
    model.save(tmp_path / "encoder.keras")
    code = (
        f"import {imports}\n"
        "import sys\n"
        "assert 'vpr_tf.layers' not in sys.modules\n"
        f"model = keras.saving.load_model({str(tmp_path / 'encoder.keras')!r})\n"
        f"assert model.count_params() == {model.count_params()}\n"
        "assert type(model).__name__ == 'GeoLocalizationNet'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
