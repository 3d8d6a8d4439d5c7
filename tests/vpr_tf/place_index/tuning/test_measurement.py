import json

from tests.vpr_tf.place_index.tuning.measurements import measurement
from vpr_tf.place_index.tuning.measurement import (
    Measurement,
    fastest,
    settings_key,
)


def test_fastest_has_enough_recall():
    exact = measurement(10, 1.0, kind="exact")
    good, fast = measurement(100, 0.9), measurement(200, 0.5)
    every = [good, exact, fast]
    assert fastest(every, 1, 0.4) == fast
    assert fastest(every, 1, 0.9) == good
    assert fastest(every, 1, 0.91) == exact
    assert fastest(every, 10, 0.45) == good
    assert fastest([fast], 1, 0.9) is None


def test_measurement_survives_json():
    one = measurement(100, 0.9)
    assert Measurement.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_key_does_not_depend_on_the_order_of_settings():
    assert settings_key("a", {"x": 1, "y": 2}) == settings_key("a", {"y": 2, "x": 1})
    assert settings_key("a", {}) != settings_key("b", {})
