import numpy as np

from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from tests.vpr_tf.report.tiny_photos import photos_at
from vpr_tf.report.brightness import mean_luma
from vpr_tf.report.query_attributes import (
    QueryAttributes,
    measure_attributes,
    stratifications,
)

WHITE, BLACK, GREEN = (247, 247, 247), (8, 8, 8), (8, 200, 8)


def test_luma_of_colours_in_record_order(tmp_path):
    shots = [Shot(WHITE, 0), Shot(BLACK, 0, size=(16, 48)), Shot(GREEN, 0)]
    dataset = write_dataset(tmp_path / "set", {"test-a-queries": shots})
    luma = mean_luma(dataset.split("test-a-queries"), progress=False)
    expected = [247 / 255, 8 / 255, (0.587 * 200 + 0.413 * 8) / 255]
    np.testing.assert_allclose(luma, expected, atol=0.02)


def measured(tmp_path, queries, database, positives):
    dataset = write_dataset(tmp_path / "set", {})
    luma = np.full(len(queries), 0.5)
    return measure_attributes(dataset, "cosplace", queries, database, positives, luma)


def test_what_the_data_does_not_tell_is_left_out_with_the_reason(tmp_path):
    photos = photos_at([0, 10])
    facts = measured(tmp_path, photos, photos, [np.array([0]), np.array([1])])
    assert facts.left_out == {
        "heading_gap_deg": "every photo has the heading 0",
        "class_num_images": "there is no partition 'cosplace'",
        "year_gap": "not known for any query",
    }
    found = np.array([True, False])
    names = [division.name for division in divide(facts, photos, found)]
    assert names == ["mean_luma", "nearest_database_m"]


def divide(facts, photos, found):
    return stratifications(
        facts, photos, found, threshold_m=25, dark_luma_below=0.2, level=0.95
    )


def test_a_photo_at_the_threshold_is_a_positive():
    photos = photos_at([0, 1, 2, 3], zone=[10, 10, 11, 0])
    nearest_m = np.array([25.0, 25.01, 1.0, np.nan])
    luma = np.array([0.1, 0.2, 0.3, 0.1])
    names = ("year_gap", "heading_gap_deg", "class_num_images")
    facts = QueryAttributes(
        {"mean_luma": luma, "nearest_database_m": nearest_m},
        dict.fromkeys(names, "unknown"),
    )
    by_name = {
        division.name: [(s.label, s.num_queries) for s in division.strata]
        for division in divide(facts, photos, np.ones(4, bool))
    }
    assert by_name == {
        "mean_luma": [("dark, below 0.2", 1), ("light, 0.2 or more", 2)],
        "nearest_database_m": [
            ("0 to 2 m", 1),
            ("10 to 25 m", 1),
            ("farther than 25 m", 1),
        ],
        "utm_zone": [("zone 10", 2), ("zone 11", 1)],
    }


def test_no_positions_leave_out_all_but_nothing_fails(tmp_path):
    queries, nobody = photos_at([0], zone=0), [np.array([], np.int64)]
    facts = measured(tmp_path, queries, photos_at([0]), nobody)
    assert divide(facts, queries, np.zeros(1, bool)) == []
