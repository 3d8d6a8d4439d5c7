"""Fixtures shared by all tests."""

import gc
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import settings

# On a busy machine an example takes longer than the default allows.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Tensors of tests are small and each core has a test process: threads only wait.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Puts files with whole runs first, lest one is left when all else is done."""
    if hasattr(config, "workerinput"):  # one of several processes
        whole_runs = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in whole_runs)


def pytest_collection_finish() -> None:
    """Spares the garbage collector the libraries, which it would look through anew."""
    gc.collect()
    gc.freeze()


GOLDEN_PART = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def official_values() -> dict[str, np.ndarray]:
    """The small part of the official values that the tests carry; see its `make.py`."""
    with np.load(GOLDEN_PART / "official.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="session")
def official_shapes() -> dict[str, dict[str, list[int]]]:
    """Names and shapes of official state dicts: VGG16_64 and ResNet18_32."""
    return json.loads((GOLDEN_PART / "state_dict_shapes.json").read_text())


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Golden values and real images beside the checkout; skips without them."""
    path = Path(__file__).resolve().parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("the shared folder with golden values is not beside the checkout")
    return path


@pytest.fixture(scope="session")
def golden_dir(shared_dir: Path) -> Path:
    """Values from the official PyTorch code."""
    return shared_dir / "golden"


@pytest.fixture(scope="session")
def reference(golden_dir: Path) -> ModuleType:
    """The module that makes stand-in weights for the official networks."""
    spec = importlib.util.spec_from_file_location(
        "reference_weights", golden_dir / "reference_weights.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small_training_dataset(tmp_path_factory):
    """Two groups of four classes of tiny images, with val and a test set."""
    from tests.small_training import build_small_dataset

    return build_small_dataset(tmp_path_factory.mktemp("small_training"))
