import pytest

from tests.vpr_tf.serving.samples import make_index, tiny_encoder


@pytest.fixture(scope="session")
def city(tmp_path_factory):
    """An index with an encoder, which tests do not change."""
    folder = tmp_path_factory.mktemp("serving")
    return make_index(folder / "city", tiny_encoder(folder / "encoder"))
