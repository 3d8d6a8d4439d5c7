import pytest

from vpr_tf.engine_choice import EngineChoice, chosen_engine, using_engine

URL = "http://localhost:8501/v1/models/city"


def test_an_inner_block_replaces_the_outer_one():
    with using_engine(encoder_url=URL):
        with using_engine("openvino"):
            assert chosen_engine() == EngineChoice("openvino")
            assert chosen_engine().name == "openvino"
            with using_engine(encoder_url=URL):
                assert chosen_engine().name == "remote"
        for engine in (None, "remote"):
            with using_engine(engine):
                assert chosen_engine().encoder_url == URL
                assert chosen_engine().name == "remote"
    assert chosen_engine() == EngineChoice()


def test_an_engine_that_contradicts_the_address_is_refused():
    with (
        pytest.raises(ValueError, match="Received: engine='litert'"),
        using_engine("litert", URL),
    ):
        raise AssertionError
    assert chosen_engine() == EngineChoice()
