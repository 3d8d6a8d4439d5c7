"""`import vpr_tf as vpr`: what it has, that it is light, that its examples hold."""

import doctest
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import vpr_tf as vpr
from tests.small_training import write_config

OBJECTS = [
    name for name in vpr.__all__ if not isinstance(getattr(vpr, name), ModuleType)
]


def test_import_loads_neither_tensorflow_nor_numpy():
    code = (
        "import sys\n"
        "import vpr_tf as vpr\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'omegaconf'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert set(vpr.__all__) <= set(dir(vpr))\n"
        "vpr.PlaceIndex, vpr.load_config\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_that_there_are_not():
    with pytest.raises(AttributeError, match="'vpr_tf' has no attribute 'Index'"):
        vpr.Index  # noqa: B018


def test_parts_are_attributes():
    assert vpr.layers.GeneralizedMeanPooling2D.__name__ == "GeneralizedMeanPooling2D"
    assert vpr.models.GeoLocalizationNet is vpr.GeoLocalizationNet


def test_evaluation_of_a_function_on_a_dataset(small_training_dataset):
    def mean_colours(images):
        return np.mean(images, axis=(1, 2)) - 0.5

    found = vpr.evaluate(mean_colours, str(small_training_dataset.path), "test")
    assert found.recalls[1] > 50


@pytest.mark.parametrize("name", OBJECTS)
def test_example_of_the_docstring(name, monkeypatch, example_folder):
    monkeypatch.chdir(example_folder)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(getattr(vpr, name), name, globs={})
    assert example.examples
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example)
    assert not runner.failures


@pytest.fixture
def example_folder(tmp_path, small_training_dataset):
    """A folder with `small.yaml`, an experiment that trains in seconds."""
    write_config(tmp_path, small_training_dataset.path)
    return tmp_path
