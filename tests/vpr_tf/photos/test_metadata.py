import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.photos import InvalidEntryError, parse_timestamp

times = st.datetimes(datetime.datetime(1800, 1, 1), datetime.datetime(2100, 12, 31))


@given(times, st.sampled_from(["", "Z", "+02:00", "-0730", "+01"]))
def test_all_forms_of_a_time_are_one(time, offset):
    expected = time.strftime("%Y%m%d_%H%M%S")
    expected = expected.rjust(15, "0")
    whole = time.replace(microsecond=0)
    for text in (
        expected,
        whole.isoformat() + offset,
        time.isoformat(" ", "milliseconds") + offset,
        whole.isoformat().replace("-", ":").replace("T", " "),
        whole.strftime("%Y%m%dT%H%M%S").rjust(15, "0") + offset,
    ):
        assert parse_timestamp(text) == expected
    assert parse_timestamp(expected[:8]) == expected[:8]
    assert parse_timestamp(str(time.date())) == expected[:8]
    assert parse_timestamp(str(time.date())[:7]) == expected[:6]


@given(st.from_regex(r"[0-9]{4}([0-9]{2}([0-9]{2}(_[0-9]{6})?)?)?", fullmatch=True))
def test_times_that_do_not_exist_are_refused(text):
    form = "%Y%m%d_%H%M%S"[: {4: 2, 6: 4, 8: 6, 15: 13}[len(text)]]
    try:
        year = datetime.datetime.strptime(text, form).year
    except ValueError:
        year = 0
    if 1800 <= year <= 2100:
        assert parse_timestamp(text) == text
        return
    with pytest.raises(InvalidEntryError, match=f"timestamp {text} does not exist"):
        parse_timestamp(text)


@pytest.mark.parametrize("text", ["", " ", "NaN", "None", "null", "n/a"])
def test_unknown_times(text):
    assert parse_timestamp(text) == ""


@pytest.mark.parametrize("text", ["19", "201", "2019_10", "June", "2019-06:30", "1e3"])
def test_other_forms_are_refused(text):
    with pytest.raises(InvalidEntryError, match="timestamp must have the form"):
        parse_timestamp(text)
