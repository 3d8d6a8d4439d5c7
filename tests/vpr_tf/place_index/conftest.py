import pytest

from tests.vpr_tf.place_index.samples import ENCODER, make_batch
from vpr_tf.place_index import create_place_index


@pytest.fixture
def folder(tmp_path):
    """An index of 40 photos."""
    create_place_index(tmp_path / "index", *make_batch(40), ENCODER)
    return tmp_path / "index"
