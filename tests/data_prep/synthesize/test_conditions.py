import numpy as np

from data_prep.synthesize.conditions import (
    phone_conditions,
    phone_finish,
    phone_lens,
    street_view_conditions,
    street_view_finish,
    street_view_lens,
)


def draws(function, *arguments, count=200):
    rng = np.random.default_rng(0)
    return [function(rng, *arguments) for _ in range(count)]


def spread(values):
    return np.ptp(np.array(values, float))


def test_phones_see_more_weather_than_street_view():
    phones, cars = draws(phone_conditions), draws(street_view_conditions)
    for field in ("haze_length_m", "clouds", "glow"):
        widths = [
            spread([getattr(c, field) for c in group]) for group in (phones, cars)
        ]
        assert field == "haze_length_m" or widths[0] > widths[1]
    assert min(c.haze_length_m for c in phones) < 120
    assert min(c.haze_length_m for c in cars) > 400
    assert 0.1 < np.mean([c.glow > 0 for c in phones]) < 0.4


def test_seasons_agree_with_the_month():
    for drawn in draws(phone_conditions):
        assert drawn.has_leaves == (drawn.month not in (12, 1, 2))
        assert (drawn.leaf_tint != (1.0, 1.0, 1.0)) == (drawn.month in (10, 11))


def test_phone_lens_strength_widens_the_range():
    rolls = [
        spread([lens.roll_deg for lens in draws(phone_lens, strength)])
        for strength in (0.0, 0.5, 1.0)
    ]
    assert rolls[0] == 0.0
    assert 0 < rolls[1] < rolls[2] <= 18  # 9 degrees either way
    assert spread([lens.field_of_view_deg for lens in draws(street_view_lens)]) == 0


def test_finishes_keep_valid_ranges():
    for finish in draws(phone_finish, 85) + draws(street_view_finish, 85):
        assert all(0.3 < gain < 2.0 for gain in finish.gains)
        assert 0 < finish.contrast < 2
        assert finish.saturation > 0
        assert 50 < finish.jpeg_quality <= 85
