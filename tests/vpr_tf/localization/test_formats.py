import json

import numpy as np
import pytest

from tests.vpr_tf.localization.places import photos_at, positions_at
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    Calibration,
    LocalizationError,
    LocalizationResult,
    localize_matches,
)
from vpr_tf.localization.formats import as_geojson, as_json, as_table


def make_calibration(min_confidence=0.4) -> Calibration:
    config = LocalizationConfig(num_predictions=3)
    return Calibration(
        kind="isotonic",
        settings={
            "method": config.method,
            "num_predictions": 3,
            "cluster_radius_m": config.cluster_radius_m,
            "similarity_scale": config.similarity_scale,
            "heading_tolerance_deg": None,
        },
        encoder_fingerprint="e",
        fitted_on="val of fiji",
        dataset_fingerprint="d",
        num_queries=86,
        num_right=82,
        threshold_m=25.0,
        feature_weights={"similarity": 0.0, "gap": 0.0, "share": 1.0},
        scores=[0.0, 1.0],
        log_odds=[-3.0, 3.0],
        error_scores=[0.0, 1.0],
        error_m=[2000.0, 12.4],
        error_quantile=0.68,
        min_votes=1,
        wanted_precision=0.95,
        min_confidence=min_confidence,
        precision=0.96,
        coverage=0.9,
    )


def find(calibration=None, min_confidence=None) -> LocalizationResult:
    """A clear answer on the antimeridian, an unclear one, and none."""
    places = positions_at([-17.0] * 3, [179.99999, -179.99997, 178.0])
    photos = photos_at(places, heading_deg=[90, 90, -1])
    rows = np.array([[0, 1, -1], [2, 1, -1], [-1, -1, -1]])
    distances = np.where(rows < 0, np.inf, [[0.5], [0.8], [0.0]]).astype(np.float32)
    config = LocalizationConfig(num_predictions=3)
    return LocalizationResult(
        {"index": "fiji.index", "encoder": "a network", "num_photos": 3},
        calibration,
        ["A note."],
        localize_matches(
            ["a.jpg", "b.jpg", "c.jpg"],
            distances,
            rows,
            photos,
            config,
            calibration=calibration,
            min_confidence=min_confidence,
        ),
        [("d.jpg", "not an image")],
    )


def test_table():
    lines = as_table(find(make_calibration(min_confidence=0.6))).splitlines()
    header = "photo    latitude    longitude  within about  confidence  "
    assert lines == [
        header + "matches that agree",
        "a.jpg  -17.000000  -179.999990        12.4 m        0.95  2 of 2, best: 0.jpg",
        "b.jpg           -            -             -        0.50  "
        "withheld: confidence 0.50 is below 0.60",
        "c.jpg           -            -             -           -  "
        "outside: no match of known position",
        "",
        "A note.",
    ]


def test_table_without_calibration():
    lines = as_table(find()).splitlines()
    assert lines[1].split()[1:5] == ["-17.000000", "-179.999990", "-", "-"]
    assert lines[2].split()[1:5] == ["-17.000000", "-179.999970", "-", "-"]


def test_json_holds_all_fields():
    content = json.loads(as_json(find(make_calibration(min_confidence=0.6))))
    assert content["num_photos"] == 3
    assert content["calibration"]["min_confidence"] == 0.6
    assert content["unreadable"] == [{"photo": "d.jpg", "reason": "not an image"}]
    clear, unclear, none = content["localizations"]
    assert clear["status"] == "localized"
    assert clear["heading_deg"] == pytest.approx(90)
    assert clear["utm_zone"] == -1
    assert clear["expected_error_m"] == pytest.approx(12.4)
    assert clear["longitude"] == pytest.approx(-179.99999, abs=1e-6)
    supporting = clear["matches"]
    assert [photo["key"] for photo in supporting] == ["0.jpg", "1.jpg"]
    assert supporting[1]["similarity"] == pytest.approx(0.75)
    assert supporting[1]["distance"] == pytest.approx(0.5)
    assert supporting[1]["timestamp"] == "202001"
    assert unclear["status"] == "withheld"
    assert unclear["longitude"] == pytest.approx(-179.99997, abs=1e-6)
    assert none["latitude"] is None
    assert none["confidence"] is None
    assert none["status"] == "outside"
    assert none["matches"] == []
    assert json.loads(as_json(find()))["calibration"] is None


def test_geojson_is_valid():
    collection = json.loads(as_geojson(find(make_calibration(min_confidence=0.6))))
    assert set(collection) == {"type", "notes", "unreadable", "features"}
    assert collection["notes"] == json.loads(as_json(find()))["notes"]
    assert collection["type"] == "FeatureCollection"
    for feature in collection["features"]:
        assert set(feature) == {"type", "geometry", "properties"}
        assert feature["type"] == "Feature"
        geometry = feature["geometry"]
        if geometry is None:
            continue
        assert geometry["type"] == "Point"
        longitude, latitude = geometry["coordinates"]
        assert latitude == pytest.approx(-17)
        assert 179.9 < abs(longitude) <= 180
    kinds = [feature["properties"]["kind"] for feature in collection["features"]]
    assert kinds == [
        "localization",
        "match",
        "match",
        "localization",
        "localization",
    ]
    first, *_, last = collection["features"]
    assert first["properties"]["expected_error_m"] == pytest.approx(12.4)
    assert first["properties"]["num_matches"] == 2
    assert last["geometry"] is None
    assert last["properties"]["reason"] == "no match of known position"


def test_min_confidence_of_the_user_is_named():
    found = find(make_calibration(), min_confidence=0.97)
    assert found.localizations[0].reason == "confidence 0.95 is below 0.97"
    found = find(make_calibration())
    assert [one.is_localized for one in found.localizations] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_votes": "1"}, "`min_votes` must be a whole number"),
        ({"precision": float("nan")}, "`precision` must be a finite number"),
        ({"error_quantile": 1.5}, r"shares must lie in \[0, 1\]"),
        ({"scores": 3}, "`scores` must be a list"),
        ({"settings": {"method": "cluster"}}, "`settings` lacks num_predictions"),
        ({"reliability": {}}, "`reliability` lacks bins"),
        ({"unheard": 1}, "unknown fields"),
    ],
)
def test_damaged_calibrations_are_one_error(change, message):
    content = make_calibration().to_dict()
    assert Calibration.from_dict(content) == make_calibration()
    with pytest.raises(LocalizationError, match=message):
        Calibration.from_dict(content | change)
