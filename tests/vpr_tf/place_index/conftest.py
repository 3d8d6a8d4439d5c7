import pytest

from tests.vpr_tf.place_index.samples import create, make_batch


@pytest.fixture
def folder(tmp_path):
    """An index of 40 photos."""
    create(tmp_path / "index", *make_batch(40))
    return tmp_path / "index"
