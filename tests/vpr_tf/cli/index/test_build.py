import argparse
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import on_index
from tests.vpr_tf.cli.index.conftest import NUM_PHOTOS, build, write_photos
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from tests.vpr_tf.photos.photo_writer import write_photo
from vpr_tf.cli.index import work_folder
from vpr_tf.cli.options import config_of_model
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import describe_images
from vpr_tf.models import encoder_fingerprint, read_keras_file, released_encoder
from vpr_tf.place_index import PlaceIndex


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_index_of_photos(built):
    with PlaceIndex.open(built / "city.index") as index:
        photos, encoder = index.photos, index.manifest.encoder
    assert photos.keys.tolist() == [f"{i}.png".encode() for i in range(NUM_PHOTOS)]
    assert photos.timestamps[3] == b"20130506_123456"
    np.testing.assert_allclose(photos.heading_deg, 36 * np.arange(NUM_PHOTOS))
    assert encoder.preprocessing == Preprocessing("square", 32)
    assert sorted(path.name for path in built.iterdir()) == ["city.index", "photos"]


def test_same_command_gives_the_same_bytes(built, model, tmp_path):
    assert build(model, built / "photos", tmp_path / "again.index") == 0
    assert bytes_of(tmp_path / "again.index") == bytes_of(built / "city.index")


def test_interrupted_build_continues_to_the_same_bytes(
    built, model, tmp_path, monkeypatch, capsys
):
    done = []

    def interrupted(*arguments):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt

    index = tmp_path / "city.index"
    with monkeypatch.context() as patch:
        patch.setattr(describe_images, "_check", interrupted)
        assert build(model, built / "photos", index) == 130
    assert "The same command continues." in capsys.readouterr().err
    assert not index.exists()
    assert build(model, built / "photos", index) == 0
    assert bytes_of(index) == bytes_of(built / "city.index")
    assert [path.name for path in tmp_path.iterdir()] == ["city.index"]


def test_build_that_was_interrupted_after_its_last_step(
    built, model, tmp_path, monkeypatch, capsys
):
    def interrupted(work):
        raise KeyboardInterrupt

    index = tmp_path / "city.index"
    with monkeypatch.context() as patch:
        patch.setattr(work_folder, "delete_work", interrupted)
        assert build(model, built / "photos", index) == 130
    assert build(model, built / "photos", index, "--dtype", "float16") == 2
    assert "exists already" in capsys.readouterr().err
    assert build(model, built / "photos", index) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["city.index"]


def test_two_builds_of_one_index(built, model, tmp_path, capsys):
    work = tmp_path / "city.index.building"
    with work_folder.locked_work(work, {}):
        assert build(model, built / "photos", tmp_path / "city.index") == 2
    assert f"Another process is working in {work}" in capsys.readouterr().err


def test_a_foreign_folder_of_the_name_of_the_work_is_left_alone(
    built, model, tmp_path, capsys
):
    work = tmp_path / "city.index.building"
    (work / "descriptors").mkdir(parents=True)
    (work / "request.json").write_text("{}")
    before = bytes_of(work)
    assert build(model, built / "photos", tmp_path / "city.index") == 2
    assert "must be a folder that this program made" in capsys.readouterr().err
    assert bytes_of(work) == before
    assert [path.name for path in tmp_path.iterdir()] == [work.name]


def test_photos_that_cannot_be_used_are_listed(model, tmp_path, capsys):
    photos = write_photos(tmp_path / "photos")
    (photos / "text.jpg").write_text("hello")
    index = tmp_path / "city.index"
    assert build(model, photos, index, "--dtype", "float16") == 0
    told = capsys.readouterr()
    assert "text.jpg: not a JPEG or PNG image" in told.err
    assert f"1 photos cannot be used. All reasons: {index}.rejected.csv" in told.out
    lines = (tmp_path / "city.index.rejected.csv").read_text().splitlines()
    assert lines == ["file,reason", "text.jpg,not a JPEG or PNG image"]
    with PlaceIndex.open(index) as opened:
        assert opened.num_photos == NUM_PHOTOS
        assert opened.manifest.dtype == "float16"


@pytest.mark.parametrize(
    ("share", "message"),
    [("0.05", "1 of 11 photos"), ("0", "1 of 11 photos")],
)
def test_too_many_unusable_photos_stop(model, tmp_path, capsys, share, message):
    photos = write_photos(tmp_path / "photos")
    write_photo(photos / "nowhere.jpg")
    status = build(
        model, photos, tmp_path / "city.index", "--max-rejected-fraction", share
    )
    assert status == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "city.index").exists()


def test_index_of_the_splits_of_a_dataset(model, tmp_path, capsys):
    shots = [Shot((20 * i, 250 - 20 * i, 128), 10 * i) for i in range(5)]
    splits = {
        "test-a-database": shots,
        "test-a-queries": shots[:2],
        "val-database": shots[1:4],
        "val-queries": shots[:1],
    }
    write_dataset(tmp_path / "dataset", splits)
    config = model.parent / "tiny.yaml"
    command = ["--config", config, "--model", model]
    override = f"dataset.path={tmp_path / 'dataset'}"
    one = tmp_path / "one.index"
    assert on_index("build", one, *command, override) == 0
    with PlaceIndex.open(one) as index:
        assert index.photos.keys[4] == b"test-a-database_4.jpg"
        assert index.num_photos == 5
    two = tmp_path / "two.index"
    chosen = ["--set", "val", "--split", "test-a-database"]
    assert on_index("build", two, *command, *chosen, override) == 0
    with PlaceIndex.open(two) as index:
        assert index.num_photos == 8
    assert on_index("build", tmp_path / "x", *command, "--set", "b", override) == 2
    assert "has no evaluation set 'b'. It has: val, a" in capsys.readouterr().err


def test_preparation_comes_from_the_model_or_a_config(built, model, tmp_path, capsys):
    arguments = ["build", tmp_path / "x", "--model", model]
    assert on_index(*arguments, "--photos", built / "photos") == 2
    assert "does not say how images are prepared" in capsys.readouterr().err
    assert on_index(*arguments) == 2
    assert "Pass --photos DIR" in capsys.readouterr().err


def test_a_released_encoder_needs_no_config():
    options = argparse.Namespace(
        config=None, model="salad", overrides=["evaluation.batch_size=2"]
    )
    config = config_of_model(options)
    assert config.evaluation.resize is None  # the encoder brings it
    assert released_encoder("salad").preprocessing == Preprocessing("square", 322)
    assert config.evaluation.batch_size == 2


def test_stored_encoder_is_the_same_encoder(built, model):
    stored = read_keras_file(built / "city.index" / "encoder" / "encoder.keras")
    assert encoder_fingerprint(stored) == encoder_fingerprint(read_keras_file(model))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--setting", "leaves"], "must look like name=value"),
        (["--photos", "/nowhere"], "No folder of photos at /nowhere"),
        (["--model", "/nowhere"], "/nowhere is no model"),
        (["--licence", ""], "`licence` must be one line"),
    ],
)
def test_errors_are_one_line(built, model, tmp_path, capsys, option, message):
    assert build(model, built / "photos", tmp_path / "x", *option) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_a_table_may_lie_elsewhere_than_its_photos(model, built, tmp_path):
    table = tmp_path / "tables" / "photos.csv"
    table.parent.mkdir()
    table.write_text("path,latitude,longitude\n3.png,37.7,-122.5\n")
    folder = str(built / "photos")
    index = tmp_path / "city.index"
    assert build(model, table, index, "--photo-folder", folder) == 0
    with PlaceIndex.open(index) as opened:
        assert opened.manifest.num_photos == 1
    assert build(model, table, tmp_path / "other.index") == 2
