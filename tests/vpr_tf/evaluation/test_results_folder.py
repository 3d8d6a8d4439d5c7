"""Nothing is written or deleted through a link in a folder of results."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from vpr_tf.evaluation.evaluation import dataset_folder
from vpr_tf.stored_paths import StoredPathError

DATASET = SimpleNamespace(path=Path("town"), fingerprint="0123456789")


@pytest.mark.parametrize("name", ["", "descriptors", "night/predictions"])
def test_folder_of_results_holds_no_link(tmp_path, name):
    canary = tmp_path / "canary"
    canary.mkdir()
    folder = dataset_folder(tmp_path / "run", DATASET)
    assert folder == tmp_path / "run" / "town-01234567"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(canary)
    with pytest.raises(StoredPathError, match="symbolic link"):
        dataset_folder(tmp_path / "run", DATASET)
