import pytest

from data_prep.synthesize.presets import synthesis_config


def test_synthesis_config_image_size_replaces_the_presets():
    assert synthesis_config("quickstart").preset.image_size == 128
    assert synthesis_config("quickstart", image_size=96).preset.image_size == 96


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "megacity"}, "`preset` must be one of.*Received: 'megacity'"),
        ({"preset": "tiny", "seed": -1}, "`seed` must be 0 or more. Received: -1"),
        ({"preset": "tiny", "image_size": 4}, "`image_size` must be between 16"),
    ],
)
def test_synthesis_config_invalid_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthesis_config(**arguments)
