import dataclasses
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_prep.build import build_dataset
from data_prep.build_state import BuildFolder
from data_prep.errors import DataPrepError
from tests.data_prep.conftest import encode_image, image_name, write_images
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.config import DatabaseAndQueries
from vpr_tf.data.prepared_dataset import INDEX_COLUMNS
from vpr_tf.data.records import parse_record


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def replace_build(config, **fields):
    return dataclasses.replace(
        config, build=dataclasses.replace(config.build, **fields)
    )


def test_records_hold_the_original_bytes_and_ids(tmp_path, city_config):
    dataset = build_dataset(city_config)
    index = dataset.split("train")
    partition = dataset.partition("cosplace")
    records = [
        parse_record(serialized)
        for path in index.shard_paths
        for serialized in tf.data.TFRecordDataset(path)
    ]
    names = sorted(path.name for path in (tmp_path / "train").iterdir())
    assert [record["key"].numpy().decode() for record in records] == names
    for i, record in enumerate(records):
        assert record["image"].numpy() == (tmp_path / "train" / names[i]).read_bytes()
        class_id = int(record["class_id"])
        first, last = partition.class_offsets[class_id : class_id + 2]
        assert i in partition.record_ids[first:last]
        assert int(record["group_id"]) == partition.classes["group_id"][class_id]
        for name in set(INDEX_COLUMNS) - {"shard", "byte_offset", "length"}:
            assert record[name].numpy() == index.column(name)[i], name


def test_index_finds_every_record_by_shard_and_offset(city_config):
    index = build_dataset(city_config).split("train")
    assert len(index.shard_paths) == 3
    for i in range(len(index)):
        shard = index.shard_paths[index.column("shard")[i]]
        with Path(shard).open("rb") as file:
            file.seek(int(index.column("byte_offset")[i]) + 12)
            serialized = file.read(int(index.column("length")[i]))
        assert parse_record(serialized)["key"].numpy() == index.keys[i]


def test_test_sets_with_one_database_store_it_once(city_config):
    dataset = build_dataset(city_config)
    assert dataset.split_names == [
        "train",
        "val-database",
        "val-queries",
        "test-day-database",
        "test-day-queries",
        "test-v1-queries",
    ]
    assert dataset.tests["v1"].database == "test-day-database"
    headings = dataset.split("test-v1-queries").column("heading_deg")
    assert np.all(headings == -1)


def test_tfds_loads_every_split(city_config):
    import tensorflow_datasets as tfds

    dataset = build_dataset(city_config)
    builder = tfds.builder_from_directory(str(dataset.path))
    for name in dataset.split_names:
        examples = list(builder.as_dataset(split=name))
        assert len(examples) == len(dataset.split(name))
        assert examples[0]["image"].shape == (16, 24, 3)
        assert examples[0]["key"].numpy() == dataset.split(name).keys[0]


def test_same_bytes_for_any_number_of_workers(city_config):
    first = files_of(build_dataset(city_config).path)
    other = dataclasses.replace(
        city_config.dataset, path=f"{city_config.dataset.path}2"
    )
    config = replace_build(dataclasses.replace(city_config, dataset=other), workers=3)
    assert files_of(build_dataset(config).path) == first


def test_rerun_of_complete_build_changes_nothing(city_config, capsys):
    path = build_dataset(city_config).path
    before = {name: (path / name).stat().st_mtime_ns for name in files_of(path)}
    build_dataset(city_config)
    assert "is complete; nothing to do" in capsys.readouterr().out
    assert {name: (path / name).stat().st_mtime_ns for name in files_of(path)} == before


def test_other_config_in_the_same_folder_is_refused(city_config):
    build_dataset(city_config)
    with pytest.raises(DataPrepError, match=r"images_per_shard is 16 there, 8 here"):
        build_dataset(replace_build(city_config, images_per_shard=8))


def test_changed_source_is_refused(tmp_path, city_config):
    build_dataset(city_config)
    (tmp_path / "train" / image_name(99)).write_bytes(encode_image(99))
    with pytest.raises(DataPrepError, match="images were added"):
        build_dataset(city_config)


def test_a_foreign_work_folder_is_left_alone(tmp_path, city_config):
    work = tmp_path / "dataset" / ".build"
    (work / "train").mkdir(parents=True)
    (work / "build.json").write_text("{}")
    (tmp_path / "dataset" / ".notes.tmp").write_text("mine")
    with pytest.raises(DataPrepError, match="this program made to work in"):
        build_dataset(city_config)
    left = sorted(path.name for path in (tmp_path / "dataset").rglob("*"))
    assert left == [".build", ".notes.tmp", "build.json", "train"]


def test_foreign_folder_is_refused(tmp_path, city_config):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "holiday.txt").touch()
    with pytest.raises(DataPrepError, match=r"holds other files \(holiday"):
        build_dataset(city_config)


def test_dataset_inside_its_source_is_refused(tmp_path, make_config):
    write_images(tmp_path / "train", 2)
    with pytest.raises(DataPrepError, match="lies in the image folder"):
        build_dataset(make_config(dataset="train/dataset"))


def test_unusable_files_are_rejected_with_the_reason(tmp_path, make_config):
    names = write_images(tmp_path / "train", 8)
    bad = {
        names[0]: encode_image(1)[:-20],
        names[1]: b"",
        names[2]: b"not an image at all",
        "holiday.jpg": encode_image(2),
    }
    for name, data in bad.items():
        (tmp_path / "train" / name).write_bytes(data)
    dataset = build_dataset(make_config(max_rejected_fraction=0.5))
    lines = (dataset.path / "rejected.csv").read_text().splitlines()
    assert lines[0] == "file,reason"
    reasons = dict(line.split(",", 1) for line in lines[1:])
    assert reasons.keys() == {f"train/{name}" for name in bad}
    assert "truncated" in reasons[f"train/{names[0]}"]
    assert "zero bytes" in reasons[f"train/{names[1]}"]
    assert "not a JPEG or PNG" in reasons[f"train/{names[2]}"]
    assert "no UTM fields" in reasons["train/holiday.jpg"]
    assert len(dataset.split("train")) == 5
    assert dataset.manifest["splits"]["train"]["num_rejected"] == 4


def test_too_many_rejected_stop_the_build_until_the_source_is_mended(
    tmp_path, make_config
):
    names = write_images(tmp_path / "train", 8)
    (tmp_path / "train" / names[3]).write_bytes(b"")
    config = make_config(max_rejected_fraction=0.1)
    with pytest.raises(
        DataPrepError, match=r"(?s)1 of the first 8.*zero bytes"
    ) as raised:
        build_dataset(config)
    rejected = tmp_path / "dataset" / "rejected.csv"
    assert f"All are in {rejected}." in str(raised.value)
    assert names[3] in rejected.read_text()
    (tmp_path / "train" / names[3]).write_bytes(encode_image(3))
    assert len(build_dataset(config).split("train")) == 8


def test_more_rejected_may_be_allowed_on_the_second_run(tmp_path, make_config):
    names = write_images(tmp_path / "train", 8)
    (tmp_path / "train" / names[3]).write_bytes(b"")
    with pytest.raises(DataPrepError, match="max_rejected_fraction"):
        build_dataset(make_config(max_rejected_fraction=0.1))
    dataset = build_dataset(make_config(max_rejected_fraction=0.2))
    assert len(dataset.split("train")) == 7


def test_hidden_and_other_files_are_no_rejected_photos(tmp_path, make_config, capsys):
    names = write_images(tmp_path / "train", 4)
    (tmp_path / "train" / ".DS_Store").write_bytes(b"Bud1")
    (tmp_path / "train" / f"._{names[0]}").write_bytes(bytes(80))
    for suffix in ("AAE", "xmp", "DNG", "foo"):
        (tmp_path / "train" / f"IMG.{suffix}").write_text("<x/>")
    config = make_config(max_rejected_fraction=0)
    dataset = build_dataset(config)
    entry = dataset.manifest["splits"]["train"]
    assert (entry["num_records"], entry["num_rejected"]) == (4, 0)
    assert entry["num_left_out"] == {"num_hidden": 2, "num_other": 4}
    text = "4 other files and 2 hidden or system files"
    assert f"train: 4 images, 0 rejected; left out {text}" in capsys.readouterr().out
    (tmp_path / "train" / "Thumbs.db").touch()
    build_dataset(config)
    assert "nothing to do" in capsys.readouterr().out


def test_folder_without_photos_says_what_is_there(tmp_path, make_config):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.xmp").touch()
    with pytest.raises(DataPrepError, match=r"no photos .*there are 1 other files"):
        build_dataset(make_config())
    (tmp_path / "train" / "a.foo").write_text("x")
    with pytest.raises(DataPrepError, match=r"no photos .*there are 2 other files"):
        build_dataset(make_config())


def test_full_verification_names_what_a_jpeg_lost(tmp_path, make_config):
    names = write_images(tmp_path / "train", 8)
    for number, cut in ((0, 4), (1, 2)):
        whole = encode_image(number, size=(96, 96))
        data = whole[: -len(whole) // cut] + (b"\xff\xd9" if number == 0 else b"")
        (tmp_path / "train" / names[number]).write_bytes(data)
    config = make_config(verify="full", max_rejected_fraction=0.5)
    dataset = build_dataset(config)
    assert len(dataset.split("train")) == 6
    text = (dataset.path / "rejected.csv").read_text()
    assert f"{names[0]},image lost a part of its data: 28% of its pixels are" in text
    assert "truncated (no end marker); 58% of its pixels are missing" in text


def test_full_verification_rejects_what_does_not_decode(tmp_path, make_config, capsys):
    names = write_images(tmp_path / "train", 8)
    data = bytearray(encode_image(0, "PNG"))
    data[60] ^= 0xFF  # in the compressed pixels
    (tmp_path / "train" / names[0]).write_bytes(data)
    options = {"max_rejected_fraction": 0.5}
    assert len(build_dataset(make_config(**options)).split("train")) == 8
    dataset = build_dataset(make_config(dataset="full", verify="full", **options))
    assert len(dataset.split("train")) == 7
    assert "does not decode" in (dataset.path / "rejected.csv").read_text()
    assert "images/s" in capsys.readouterr().out


def test_images_without_heading_are_in_no_class(tmp_path, make_config):
    write_images(tmp_path / "train", 8)
    (tmp_path / "train" / image_name(50, heading_deg=None)).write_bytes(
        encode_image(50)
    )
    dataset = build_dataset(make_config())
    assert len(dataset.split("train")) == 9
    partition = dataset.partition("cosplace")
    unknown = np.flatnonzero(dataset.split("train").column("heading_deg") == -1)
    assert len(unknown) == 1
    assert unknown[0] not in partition.record_ids


def test_train_without_any_heading_suggests_to_ignore_it(tmp_path, make_config):
    write_images(tmp_path / "train", 8, heading_deg=None)
    with pytest.raises(DataPrepError, match="missing_heading: ignore"):
        build_dataset(make_config())


def test_queries_without_positions_take_any_name(tmp_path, make_config):
    write_images(tmp_path / "database", 3)
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "IMG_001.jpg").write_bytes(encode_image(0))
    sets = DatabaseAndQueries("database", "queries", queries_have_positions=False)
    dataset = build_dataset(make_config(train=None, tests={"phone": sets}))
    assert not dataset.tests["phone"].queries_have_positions
    assert dataset.split("test-phone-queries").column("utm_zone")[0] == 0


def test_missing_source_is_named(tmp_path, make_config):
    with pytest.raises(
        DataPrepError, match=r"No image folder at .*train for the split"
    ):
        build_dataset(make_config())


def test_unwritable_folder_is_named(tmp_path, make_config, monkeypatch):
    write_images(tmp_path / "train", 2)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(
        DataPrepError, match=r"Cannot write .*dataset: Permission denied"
    ):
        build_dataset(make_config())


def test_file_in_place_of_the_folder_is_named(tmp_path, make_config):
    write_images(tmp_path / "train", 2)
    (tmp_path / "dataset").touch()
    with pytest.raises(DataPrepError, match=r"Cannot make the folder .*dataset"):
        build_dataset(make_config())


def test_two_builds_in_one_folder_are_refused(tmp_path, make_config):
    write_images(tmp_path / "train", 2)
    path = tmp_path / "dataset"
    with BuildFolder(path, {}), pytest.raises(DataPrepError, match="Another build"):
        build_dataset(make_config())


def run_build(config_path: Path, prepare=None) -> subprocess.Popen:
    command = [sys.executable, "-m", "data_prep", "build", "--config", str(config_path)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


def write_yaml(tmp_path: Path, **build) -> Path:
    path = tmp_path / "config.yaml"
    values = {
        "name": "small",
        "dataset": {"path": str(tmp_path / "dataset")},
        "build": {
            "source": str(tmp_path),
            "train": "train",
            "images_per_shard": 8,
            "partition": {"min_images_per_class": 1},
            **build,
        },
    }
    path.write_text(json.dumps(values))  # JSON is YAML
    return path


def test_full_disk_names_the_shard_and_keeps_the_finished_ones(tmp_path):
    write_images(tmp_path / "train", 16)
    for path in sorted((tmp_path / "train").iterdir())[8:]:
        path.write_bytes(encode_image(0, size=(256, 256)))
    limit = 100_000  # enough for the first shard, not for the second
    process = run_build(
        write_yaml(tmp_path),
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "train-00001-of-00002.tfrecord" in errors
    assert "MB free" in errors
    assert "Traceback" not in errors
    shards = sorted(path.name for path in (tmp_path / "dataset").glob("*.tfrecord"))
    assert shards == ["train-00000-of-00002.tfrecord"]
    assert not list((tmp_path / "dataset").glob(".partial-*"))


def test_positions_come_from_exif_where_names_have_none(tmp_path, make_config):
    names = write_images(tmp_path / "train", 4)
    write_photo(
        tmp_path / "train" / "phone.jpg",
        gps=gps_of(-33.9, 18.4, heading_deg=90.5),
        taken="2024:05:06 07:08:09",
        orientation=6,
    )
    write_photo(tmp_path / "train" / "screenshot.png")
    dataset = build_dataset(make_config(max_rejected_fraction=0.5))
    train = dataset.split("train")
    assert train.keys.tolist() == [*(name.encode() for name in names), b"phone.jpg"]
    table = train.photo_table()
    assert table.positions.latitude_deg[-1] == pytest.approx(-33.9, abs=1e-6)
    assert table.positions.longitude_deg[-1] == pytest.approx(18.4, abs=1e-6)
    assert table.positions.utm_zone.tolist() == [10, 10, 10, 10, -34]
    assert table.heading_deg[-1] == 90.5
    assert table.timestamps[-1] == b"20240506_070809"
    assert train.column("exif_orientation").tolist() == [1, 1, 1, 1, 6]
    rejected = (dataset.path / "rejected.csv").read_text()
    assert "screenshot.png,no position: the name has no UTM fields and" in rejected


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": 1, "splits": 3}'])
def test_damaged_manifest_is_not_built_over(city_config, text):
    path = build_dataset(city_config).path / "manifest.json"
    path.write_text(text)
    with pytest.raises(DataPrepError, match=r"manifest\.json .*delete .* first"):
        build_dataset(city_config)
    assert path.read_text() == text
