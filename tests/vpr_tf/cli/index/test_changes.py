import shutil

import numpy as np
import pytest

from tests.command_line import on_index as run
from tests.vpr_tf.cli.index.conftest import NUM_PHOTOS
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.photo_columns import is_older


@pytest.fixture
def index(built, tmp_path):
    return shutil.copytree(built / "city.index", tmp_path / "city.index")


@pytest.fixture
def new_photos(tmp_path):
    for number in range(3):
        gps = gps_of(-33.85, 151.2 + number / 1000)
        write_photo(tmp_path / "new" / f"n{number}.jpg", (9, 80 * number, 1), gps=gps)
    return tmp_path / "new"


def keys_of(index):
    with PlaceIndex.open(index) as opened:
        return [key.decode() for key in opened.photos.keys]


def test_added_photos_are_found(index, new_photos, capsys):
    assert run("add", index, "--photos", new_photos, "--prefix", "monday/") == 0
    told = capsys.readouterr().out
    assert "Added: 3 photos" in told
    assert "Recall against exact search: 100 %" in told
    assert keys_of(index)[-1] == "monday/n2.jpg"
    assert run("query", index, new_photos / "n1.jpg", "--k", 1) == 0
    assert "1.000  -33.850000  151.201000" in capsys.readouterr().out
    assert sorted(path.name for path in index.parent.iterdir()) == ["city.index", "new"]


def test_photos_that_are_there_already(index, built, new_photos, capsys):
    shutil.copy(built / "photos" / "3.png", new_photos)
    assert run("add", index, "--photos", new_photos) == 2
    assert "already has 1 of these photos: 3.png" in capsys.readouterr().err
    assert run("add", index, "--photos", new_photos, "--existing", "skip") == 0
    assert len(keys_of(index)) == NUM_PHOTOS + 3
    assert run("add", index, "--photos", new_photos, "--existing", "skip") == 0
    assert "are in the index already" in capsys.readouterr().out
    assert run("add", index, "--photos", new_photos, "--existing", "replace") == 0
    assert len(keys_of(index)) == NUM_PHOTOS + 3


def test_add_to_what_is_no_index(tmp_path, new_photos, capsys):
    assert run("add", tmp_path, "--photos", new_photos) == 2
    assert "No index at" in capsys.readouterr().err


def test_add_with_another_encoder_is_refused(index, new_photos, model, capsys):
    from vpr_tf.models import GeoLocalizationNet

    other = index.parent / "other.keras"
    GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0).save(other)
    assert run("add", index, "--photos", new_photos, "--model", other) == 2
    told = capsys.readouterr().err
    assert "was built with another encoder" in told
    assert "other.keras" in told
    assert run("add", index, "--photos", new_photos, "--model", model) == 0


def test_remove_by_key(index, tmp_path, capsys):
    assert run("remove", index, "--keys", "1.png", "unknown.png") == 2
    assert "unknown.png" in capsys.readouterr().err
    (tmp_path / "keys.txt").write_text("1.png\n2.png\n")
    assert run("remove", index, "--keys-file", tmp_path / "keys.txt") == 0
    assert "Removed: 2 photos" in capsys.readouterr().out
    assert keys_of(index)[:2] == ["0.png", "3.png"]
    assert run("compact", index) == 0
    assert "2 removed photos" in capsys.readouterr().out
    assert run("compact", index) == 0
    assert "Nothing was added or removed" in capsys.readouterr().out


def test_remove_by_time_and_place(index, capsys):
    assert run("remove", index, "--older-than", "2013-05-06", "--dry-run") == 0
    assert "3 of 10 photos" in capsys.readouterr().out
    assert len(keys_of(index)) == NUM_PHOTOS
    here = ["--within", "37.700,-122.5,150"]
    assert run("remove", index, "--older-than", "2013", *here) == 0
    assert keys_of(index)[:2] == ["2.png", "3.png"]
    assert run("remove", index, "--older-than", "1990") == 0
    assert "Nothing was removed" in capsys.readouterr().out
    assert run("remove", index, "--within", "-33.8,151.2,100") == 0


def test_remove_needs_to_be_told_what(index, capsys):
    assert run("remove", index) == 2
    assert run("remove", index, "--keys", "1.png", "--older-than", "2019") == 2
    assert "either --keys or" in capsys.readouterr().err
    assert run("remove", index, "--within", "91,0,5") == 2
    assert "outside -80 to 84" in capsys.readouterr().err
    assert run("remove", index, "--within", "0,0,500") == 2
    assert "are 0, 0, which" in capsys.readouterr().err


def test_time_of_which_only_a_part_is_known():
    timestamps = np.array([b"2018", b"2019", b"201905", b"20190702_10", b""])
    assert is_older(timestamps, b"201907").tolist() == [True, False, True, False, False]
    assert is_older(timestamps, b"2019").tolist() == [True, *[False] * 4]
    assert is_older(timestamps, b"20200101").tolist() == [True] * 4 + [False]
