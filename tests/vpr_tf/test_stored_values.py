import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.stored_values import StoredValueError, from_stored, parse_json


@dataclass(frozen=True)
class Inner:
    name: str
    size: int | None = None


@dataclass(frozen=True)
class Outer:
    share: float
    is_good: bool
    inner: list[Inner]
    weights: dict[str, float] = field(default_factory=dict)
    rest: Any = None


GOOD = {"share": 1, "is_good": True, "inner": [{"name": "a", "size": 2}]}


def test_nested_dataclasses_are_made():
    found = from_stored(Outer, {**GOOD, "weights": {"x": 0.5}, "rest": [None]})
    assert found == Outer(1.0, True, [Inner("a", 2)], {"x": 0.5}, [None])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": "1"}, "`share` must be a finite number. Received: '1'"),
        ({"share": float("nan")}, "`share` must be a finite number"),
        ({"share": True}, "`share` must be a finite number"),
        ({"share": 10**400}, "`share` must be a finite number"),
        ({"is_good": 1}, "`is_good` must be true or false"),
        ({"inner": {}}, "`inner` must be a list"),
        ({"inner": [{"name": 1}]}, r"`inner\[0\]\.name` must be text"),
        ({"inner": [{"name": "a", "size": 1.0}]}, r"size` must be a whole number"),
        ({"inner": [{}]}, r"`inner\[0\]` lacks name"),
        ({"weights": {"x": None}}, r"`weights\.x` must be a finite number"),
        ({"more": 1}, r"unknown fields \['more'\]"),
    ],
)
def test_other_types_are_one_error_that_names_the_field(change, message):
    with pytest.raises(StoredValueError, match=message):
        from_stored(Outer, GOOD | change)


def test_unknown_fields_may_be_left_out():
    assert from_stored(Inner, {"name": "a", "b": 1}, more=True) == Inner("a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": {"b": 1, "b": 2}}', "names 'b' twice"),
        ("1" * 5000, "not valid JSON"),
    ],
)
def test_damaged_json_is_one_error(text, message):
    with pytest.raises(StoredValueError, match=message):
        parse_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_json_is_read_or_refused(value):
    fields = value if isinstance(value, dict) else {"share": value}
    try:
        found = from_stored(Outer, parse_json(json.dumps(GOOD | fields)))
    except StoredValueError:
        return
    assert isinstance(found.share, float)
