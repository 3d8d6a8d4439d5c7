"""Builds of a part of their source."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from data_prep.added_tests import add_test
from data_prep.build import build_dataset
from data_prep.errors import DataPrepError
from data_prep.inspection.report import count_split, describe_splits
from tests.data_prep.conftest import encode_image, image_name, write_images
from tests.data_prep.test_build_dataset import files_of, replace_build
from vpr_tf.config import AreaConfig, ConfigError, DatabaseAndQueries, QualityConfig

NUM_PHOTOS = 40  # 10 m apart from 544,000 m east, 28 in a row
WEST = AreaConfig(utm_east=[544_000.0, 544_015.0])


def keys_of(dataset, split="train"):
    return {bytes(key).decode() for key in dataset.split(split).keys}


@pytest.fixture
def names(tmp_path):
    write_images(tmp_path / "train", NUM_PHOTOS)
    return [image_name(i) for i in range(NUM_PHOTOS)]


def test_photos_outside_are_left_out_counted_and_listed(names, make_config, capsys):
    dataset = build_dataset(make_config(area=WEST))
    inside = {name for i, name in enumerate(names) if i // 4 % 7 < 2}
    assert keys_of(dataset) == inside
    entry = dataset.manifest["splits"]["train"]
    assert (entry["num_rejected"], entry["num_flagged"]) == (0, 0)
    assert entry["num_outside"] == NUM_PHOTOS - len(inside)
    with (dataset.path / "rejected.csv").open(newline="") as file:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons.keys() == {f"train/{name}" for name in set(names) - inside}
    assert reasons[f"train/{names[8]}"] == (
        "utm_east is 544020.08 (`build.area.utm_east` is [544000.0, 544015.0])"
    )
    outside = f"{len(reasons)} photos outside `build.area`"
    assert f"train: {outside}" in capsys.readouterr().out
    told = describe_splits(dataset, {"train": count_split(dataset.split("train"))})
    assert f"train: {len(reasons)} images were outside `build.area`" in told
    assert len(dataset.partition("cosplace").record_ids) == len(inside)


def test_degrees_of_the_box_and_its_edges(names, make_config):
    whole = build_dataset(make_config()).split("train")
    latitude = whole.positions().latitude_deg
    longitude = np.sort(whole.positions().longitude_deg)
    edges = [float(longitude[5]), float(longitude[20])]
    area = AreaConfig(
        latitude=[float(latitude.min()), float(latitude.max())], longitude=edges
    )
    found = build_dataset(make_config("part", area=area)).split("train").positions()
    expected = longitude[(longitude >= edges[0]) & (longitude <= edges[1])]
    np.testing.assert_array_equal(np.sort(found.longitude_deg), expected)
    # The other way around the earth.
    rest = AreaConfig(longitude=edges[::-1])
    others = build_dataset(make_config("rest", area=rest)).split("train").positions()
    assert len(others) == np.sum((longitude <= edges[0]) | (longitude >= edges[1]))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([315.0, 45.0], {0, 30, 330}),
        ([30.0, 330.0], {30, 180, 330}),
        ([0.0, 360.0], {0, 30, 180, 330}),
        ([330.0, 0.0], {330, 0}),
    ],
)
def test_headings_wrap_at_north_and_unknown_ones_are_out(
    tmp_path, make_config, limits, expected
):
    for i, heading in enumerate([0, 30, 180, 330, None]):
        name = image_name(i, heading_deg=heading)
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / name).write_bytes(encode_image(i))
    dataset = build_dataset(make_config(area=AreaConfig(heading_deg=limits)))
    assert set(dataset.split("train").column("heading_deg")) == expected
    assert "heading_deg is unknown" in (dataset.path / "rejected.csv").read_text()


def test_every_split_with_positions_is_of_the_area(city_config, tmp_path):
    (tmp_path / "test" / "queries_v1" / "phone.jpg").write_bytes(encode_image(8))
    tests = city_config.build.tests | {
        "v1": DatabaseAndQueries("test/database", "test/queries_v1", False)
    }
    dataset = build_dataset(replace_build(city_config, area=WEST, tests=tests))
    num = {name: e["num_records"] for name, e in dataset.manifest["splits"].items()}
    assert num["val-database"] == 6
    assert num["test-day-database"] == 7
    assert num["test-v1-queries"] == 5  # without positions
    assert dataset.split("train").positions().utm_east_cm.max() <= 54_401_500


def test_of_what_is_outside_no_flag_is_looked_for(tmp_path, names, make_config):
    pytest.importorskip("imagehash")
    for i in range(12):
        (tmp_path / "train" / names[i]).write_bytes(encode_image(i, "PNG", (200, 180)))
    quality = QualityConfig(exclude=["too_small"])
    dataset = build_dataset(make_config(area=WEST, quality=quality))
    entry = dataset.manifest["splits"]["train"]
    assert keys_of(dataset) == set(names[:8])
    assert entry["num_outside"] + entry["num_flagged"] == NUM_PHOTOS - 8
    assert entry["num_outside"] == sum(i // 4 % 7 >= 2 for i in range(NUM_PHOTOS))
    small = replace_build(make_config("none"), area=WEST, quality=quality)
    for i in range(12):
        (tmp_path / "train" / names[i]).write_bytes(encode_image(i))
    with pytest.raises(DataPrepError, match=r"all in `build\.area` have a flag"):
        build_dataset(small)


def test_nothing_inside_is_an_error(names, make_config):
    nowhere = AreaConfig(utm_north=[0.0, 1.0])
    with pytest.raises(DataPrepError, match=r"none lies in `build\.area`, \{'utm_n"):
        build_dataset(make_config(area=nowhere))


def test_another_area_is_another_config(names, make_config):
    build_dataset(make_config())
    with pytest.raises(DataPrepError, match=r"build\.area\.utm_east is None there"):
        build_dataset(make_config(area=WEST))


def test_added_sets_of_another_area_are_stored_of_their_own(city_config):
    day = city_config.build.tests["day"]
    before = files_of(build_dataset(city_config).path)["rejected.csv"]
    part = replace_build(city_config, area=AreaConfig(utm_east=[543e3, 544_005.0]))
    dataset = add_test(part, {"part": day})
    assert dataset.tests["part"].database == "test-part-database"
    assert len(dataset.split("test-part-database")) == 4
    add_test(part, {"part": day})  # is there
    again = add_test(part, {"dusk": day})
    assert again.tests["dusk"].database == "test-part-database"
    with pytest.raises(DataPrepError, match=r"another test set 'part'.*build\.area"):
        add_test(city_config, {"part": day})
    rejected = files_of(again.path)["rejected.csv"]
    assert rejected.startswith(before)
    assert rejected.count(b"utm_east is") == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latitude": [37.8, 37.7]}, "latitude` must be two numbers from -90 to 90, a"),
        ({"longitude": [-122.0]}, "longitude` must be two numbers from -180 to 180. R"),
        ({"heading_deg": [-45.0, 45.0]}, "heading_deg` must be two numbers from 0 to"),
        ({"utm_east": [1.0, float("nan")]}, "utm_east` must be two numbers"),
    ],
)
def test_impossible_areas_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        AreaConfig(**fields)


def test_a_manifest_of_a_former_version_has_no_area(names, make_config):
    config = make_config()
    path = build_dataset(config).path / "manifest.json"
    content = json.loads(path.read_text())
    assert content["build"].pop("area") == dataclasses.asdict(AreaConfig())
    for entry in content["splits"].values():
        del entry["num_outside"]
    path.write_text(json.dumps(content))
    assert len(build_dataset(config).split("train")) == NUM_PHOTOS
