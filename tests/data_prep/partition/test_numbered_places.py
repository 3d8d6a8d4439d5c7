"""A class of each place that a table numbers."""

import numpy as np
import pytest

import data_prep
from data_prep.build import build_dataset
from data_prep.errors import DataPrepError
from tests.command_line import vpr
from tests.data_prep.conftest import encode_image
from vpr_tf.classification import ClassificationError, ClassTable
from vpr_tf.data import PreparedDataset
from vpr_tf.data.class_sampler import ClassSampler
from vpr_tf.geo import utm_to_lat_lon

# Of each photo; 900000000001 stands as in GSV-Cities with many cities.
PLACES = [7, 900_000_000_001, None, 7, 3, 7, 3, 900_000_000_001, 8, 7]


def write_table(folder, places):
    lines = ["path,latitude,longitude,heading_deg,place_id"]
    for number, place in enumerate(places):
        (folder / f"{number}.jpg").write_bytes(encode_image(number))
        east_m = 544_000 + 50 * ((place or 0) % 10) + number
        latitude, longitude = utm_to_lat_lon(east_m, 4_174_000, 10)
        text = "" if place is None else place
        lines.append(f"{number}.jpg,{latitude:.7f},{longitude:.7f},,{text}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def build(tmp_path, make_config):
    def run(places=PLACES, minimum=2):
        write_table(tmp_path, places)
        partition = {"method": "place_ids", "min_images_per_class": minimum}
        return build_dataset(make_config(partition=partition, train="train.csv"))

    return run


def test_photos_of_a_number_are_a_class(build, capsys):
    dataset = build()
    partition, split = dataset.partition("cosplace"), dataset.split("train")
    assert partition.num_groups == 1
    members = np.split(partition.record_ids, partition.class_offsets[1:-1])
    found = [split.column("place_id")[rows].tolist() for rows in members]
    assert found == [[3, 3], [7, 7, 7, 7], [900_000_000_001] * 2]
    assert partition.classes["num_images"].tolist() == [2, 4, 2]
    assert all((np.diff(rows) > 0).all() for rows in members)
    printed = capsys.readouterr().out
    assert "3 classes in 1 groups hold 8 images" in printed
    assert "dropped 1 classes with fewer than 2 images (1 images)" in printed
    assert "1 images have no place_id" in printed


def test_centres_are_the_middles_of_the_photos(build):
    dataset = build()
    partition, split = dataset.partition("cosplace"), dataset.split("train")
    for row, first, last in zip(
        partition.classes,
        partition.class_offsets,
        partition.class_offsets[1:],
        strict=False,
    ):
        photos_m = split.utm_m[partition.record_ids[first:last]]
        centre_m = row["centre_east_m"], row["centre_north_m"]
        np.testing.assert_allclose(centre_m, photos_m.mean(axis=0), atol=0.01)
        assert row["utm_zone"] == 10


def test_a_batch_has_places_of_several_photos(build):
    partition = build(places=[1, 2, 3, 4] * 5, minimum=4).partition("cosplace")
    sampler = ClassSampler(partition, 0, 3, photos_per_class=4, classes_per_batch=2)
    rows = sampler.record_ids_at(0, 8).reshape(2, 4)
    places = rows % 4  # as they stand in the table
    assert (places == places[:, :1]).all()
    assert places[0, 0] != places[1, 0]
    assert all(len(set(of_place)) == 4 for of_place in rows.tolist())


def test_a_dataset_without_numbers_is_refused(build):
    with pytest.raises(DataPrepError, match=r"No train image has a place_id\. Give"):
        build(places=[None] * 4)


def test_too_few_photos_of_every_place_are_refused(build):
    with pytest.raises(DataPrepError, match=r"the largest has 4, but .* is 5"):
        build(minimum=5)


def test_numbered_places_have_no_ground(build):
    dataset = build()
    with pytest.raises(ClassificationError, match="needs classes that are cells"):
        ClassTable.from_partition(dataset.partition("cosplace"), dataset.split("train"))


def test_a_partition_of_a_table_in_memory():
    table = {"utm_east": [0.5, 1.5, 2.5], "utm_north": [0.0] * 3, "utm_zone": [10] * 3}
    table |= {"place_id": [5, -1, 5]}
    found = data_prep.partition_table(table, method="place_ids", min_images_per_class=1)
    assert found.class_id.tolist() == [0, -1, 0]
    with pytest.raises(ValueError, match="one whole number a row"):
        data_prep.partition_table(table | {"place_id": [0.5, 1, 1]}, method="place_ids")


def test_inspect_and_preview_show_places(build, tmp_path, capsys):
    path = build().path
    (tmp_path / "c.yaml").write_text(f"name: a\ndataset: {{path: {path}}}\n")
    vpr("data", "inspect", "--config", tmp_path / "c.yaml", "--output", tmp_path / "p")
    printed = capsys.readouterr().out
    assert "partition cosplace: place_ids\n" in printed
    assert "group 0: 3 classes, 8 images" in printed
    assert "farthest photo from the middle of its class: median" in printed
    assert (tmp_path / "p" / "cosplace_map_zone_10N.png").is_file()
    vpr("data", "preview", "--config", tmp_path / "c.yaml", "--output", tmp_path / "q")
    assert (tmp_path / "q" / "classes.png").is_file()


def test_a_partition_is_added_to_a_dataset(build, tmp_path):
    path = build().path
    (tmp_path / "c.yaml").write_text(f"name: a\ndataset: {{path: {path}}}\n")
    fields = {"name": "all", "method": "place_ids", "min_images_per_class": "1"}
    overrides = [f"build.partition.{name}={value}" for name, value in fields.items()]
    vpr("data", "partition", "--config", tmp_path / "c.yaml", *overrides)
    assert len(PreparedDataset(path).partition("all").classes) == 4
