"""Drives of which descriptors tell places, measured without any photo."""

import numpy as np
import pytest

from benchmarks.sequences import (
    Drives,
    alone,
    calibrated,
    measure,
    smoothed,
    table_of,
    together,
)
from tests.vpr_tf.localization.places import photos_in_plane
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import MotionModel
from vpr_tf.photos import PhotoTable

CONFIG = LocalizationConfig()


def drives_of(seed, noise=2.6):
    """Returns two drives of 20 photos, 12 m and two seconds from each other."""
    rng = np.random.default_rng(seed)
    east, north = (axis.ravel() for axis in np.mgrid[0:1500:15.0, 0:600:100.0])
    database = photos_in_plane(east, north)
    places = rng.normal(size=(len(east), 64))
    database_places = places / np.linalg.norm(places, axis=1, keepdims=True)
    at_m = np.concatenate([300 + 12.0 * np.arange(20), 700 + 12.0 * np.arange(20)])
    truth = photos_in_plane(at_m, np.full(40, 300.0))
    keys = [f"drive_{n // 20}/{n % 20:02d}.jpg".encode() for n in range(40)]
    times = [f"20240501_1000{2 * (n % 20):02d}".encode() for n in range(40)]
    photos = PhotoTable(
        np.array(keys), truth.positions, truth.heading_deg, np.array(times)
    )
    nearest = [np.hypot(east - m, north - 300).argmin() for m in at_m]
    seen = database_places[nearest] + noise / 8 * rng.normal(size=(40, 64))
    return Drives(
        photos,
        database,
        seen / np.linalg.norm(seen, axis=1, keepdims=True),
        database_places,
    )


def test_drives_and_windows():
    drives = drives_of(0)
    assert [len(rows) for rows in drives.each()] == [20, 20]
    assert [len(rows) for rows in drives.windows(8)] == [8, 8, 4] * 2
    assert [len(rows) for rows in drives.windows(None)] == [20, 20]


def test_a_window_of_one_is_not_smoothed():
    drives = drives_of(0)
    np.testing.assert_allclose(smoothed(drives, 1), drives.descriptors, rtol=1e-12)
    mean = drives.descriptors[:20].mean(axis=0)
    np.testing.assert_allclose(
        smoothed(drives, None)[3], mean / np.linalg.norm(mean), rtol=1e-12
    )


def test_tracks_are_better_than_their_photos():
    drives = drives_of(1)
    calibration = calibrated(drives_of(2), CONFIG)
    single = alone(drives, drives.descriptors, CONFIG, calibration)
    track = together(drives, None, CONFIG, calibration, MotionModel())
    assert 0.2 < single.right < 0.9
    assert track.right > single.right
    assert track.median_error_m <= single.median_error_m
    one = together(drives, 1, CONFIG, calibration, MotionModel())
    assert one.localized == pytest.approx(single.localized, abs=0.05)


def test_the_table_has_a_line_for_each_length_and_method():
    drives = {"val": drives_of(2), "test": drives_of(1)}
    text = table_of(measure(drives, [1, 5, None], MotionModel())).to_text()
    assert text.count("track, uncalibrated") == 3
    assert text.count("mean descriptor") == 2
    assert text.count("itself") == 1
