import json

import numpy as np
import pytest

from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoTable
from vpr_tf.photos.coverage import measure_coverage
from vpr_tf.photos.coverage_gaps import missing_cells

CELL_M = 25.0


def table(positions, years=(), headings=()):
    count = len(positions)
    return PhotoTable(
        np.array([b"%d.jpg" % i for i in range(count)]),
        positions,
        np.array(headings or [-1.0] * count, np.float32),
        np.array(years or [b""] * count, "S8"),
    )


def street(start, end, step_m=10.0):
    start, end = np.array(start, float), np.array(end, float)
    length = np.linalg.norm(end - start)
    return start + np.arange(0, length, step_m)[:, None] / length * (end - start)


def test_coverage_counts_years_and_headings_of_each_cell():
    positions = Positions.from_utm(
        [500_001, 500_024, 500_010, 500_026], [4_000_001.0] * 4, [32] * 4
    )
    coverage = measure_coverage(
        table(positions, [b"2012", b"201906", b"", b"2011"], [0, 44, 350, -1]),
        few_below=3,
    )
    assert coverage.count.tolist() == [3, 1]
    assert coverage.newest_year.tolist() == [2019, 2011]
    assert coverage.oldest_year.tolist() == [2012, 2011]
    np.testing.assert_allclose(coverage.heading_share, [2 / 8, np.nan])
    assert coverage.old_before == 2014
    assert coverage.few.tolist() == coverage.old.tolist() == [False, True]
    summary = coverage.summary()
    assert summary["num_photos"] == 4
    assert summary["num_old"] == summary["num_few"] == 1
    assert summary["covered_km2"] == pytest.approx(2 * CELL_M**2 / 1e6)


def test_geojson_has_the_cell_around_its_photos():
    positions = Positions.from_lat_lon([37.7749, -16.5], [-122.4194, 179.99995])
    coverage = measure_coverage(table(positions))
    content = coverage.geojson()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    places = set()
    for feature in content["features"]:
        ring = np.array(feature["geometry"]["coordinates"][0])
        assert (ring[0] == ring[-1]).all()
        assert feature["properties"]["photos"] == 1
        assert feature["properties"]["newest_year"] is None
        assert np.ptp(ring[:, 0]) < 0.001  # also at the antimeridian
        for row in range(2):
            place = positions.longitude_deg[row], positions.latitude_deg[row]
            inside = (ring.min(axis=0) <= place) & (ring.max(axis=0) >= place)
            places |= {row} if inside.all() else set()
    assert places == {0, 1}


@pytest.mark.parametrize("angle_deg", [0, 30, 77, 140])
def test_a_gap_in_a_street_is_missing(angle_deg):
    ahead = np.array([np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))])
    points = 5_000 + np.concatenate(
        [street(0 * ahead, 200 * ahead), street(300 * ahead, 500 * ahead)]
    )
    missing = (missing_cells(points, CELL_M) + 0.5) * CELL_M - 5_000
    assert 2 <= len(missing) <= 6
    along = missing @ ahead
    assert ((along > 190) & (along < 310)).all()
    assert (np.abs(missing @ [-ahead[1], ahead[0]]) < CELL_M).all()


def test_houses_between_streets_and_ends_of_streets_are_not_missing():
    blocks = [street((0, y), (600, y)) for y in range(0, 401, 80)]
    blocks += [street((x, 0), (x, 400)) for x in range(0, 601, 200)]
    assert len(missing_cells(np.concatenate(blocks), CELL_M)) == 0
    far = [street((0, 0), (200, 0)), street((400, 0), (600, 0))]
    assert len(missing_cells(np.concatenate(far), CELL_M)) == 0
    aside = [street((0, 0), (200, 0)), street((280, 40), (500, 40))]
    assert len(missing_cells(np.concatenate(aside), CELL_M)) == 0


def test_coverage_finds_the_gap_in_its_zone():
    points = np.concatenate([street((0, 3), (200, 3)), street((300, 3), (500, 3))])
    east, north = points.T
    zones = np.full(len(points), 32)
    positions = Positions.from_utm(500_000 + east, 4_000_000 + north, zones)
    coverage = measure_coverage(table(positions))
    assert coverage.missing.sum() == 2
    cells = coverage.east[coverage.missing] - 20_000
    assert ((cells >= 8) & (cells < 12)).all()
    assert not (coverage.old | coverage.few)[coverage.missing].any()


def test_coverage_refuses_what_has_no_place():
    unknown = Positions.from_utm([0.0], [0.0], [0])
    with pytest.raises(ValueError, match="local coordinates"):
        measure_coverage(table(unknown))
    nowhere = Positions(*np.zeros((5, 1), np.int64))
    with pytest.raises(ValueError, match="none has one"):
        measure_coverage(table(nowhere))
    somewhere = Positions.from_lat_lon([37.0], [-122.0])
    with pytest.raises(ValueError, match="side of a cell"):
        measure_coverage(table(somewhere), cell_size_m=0.5)
