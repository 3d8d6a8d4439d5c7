"""Photos of which nobody knows where they were taken."""

import json

import pytest
from PIL import Image

from tests.command_line import on_index as run
from tests.command_line import vpr
from tests.vpr_tf.cli.index.conftest import build, write_photos
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.place_index import PlaceIndex

COLOURS = [(25 * number, 250 - 20 * number, 90) for number in range(6)]


@pytest.fixture(scope="module")
def unplaced(model, tmp_path_factory):
    """A folder with `photos` and their `city.index`, none with a position."""
    folder = tmp_path_factory.mktemp("unplaced")
    for number, colour in enumerate(COLOURS):
        write_photo(folder / "photos" / f"{number}.png", colour)
    index = folder / "city.index"
    assert build(model, folder / "photos", index, "--without-positions") == 0
    return folder


def test_without_the_option_they_are_refused_and_it_is_named(unplaced, model, capsys):
    assert build(model, unplaced / "photos", unplaced / "other.index") == 2
    assert "--without-positions" in capsys.readouterr().err


def test_query_finds_them_and_says_that_the_place_is_unknown(unplaced, capsys):
    index, photo = unplaced / "city.index", unplaced / "photos" / "2.png"
    assert run("query", index, photo, "--k", 2, "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)
    best = answer["matches"][0]
    assert best["key"] == "2.png"
    assert (best["latitude"], best["longitude"]) == (None, None)
    assert run("query", index, photo, "--k", 1) == 0
    cells = capsys.readouterr().out.splitlines()[1].split()
    assert cells[2:4] == ["-", "-"]


def test_localize_gives_no_place(unplaced, capsys):
    index, photo = unplaced / "city.index", unplaced / "photos" / "2.png"
    assert vpr("localize", "--index", index, photo, "--json") == 0
    text = capsys.readouterr().out
    assert '"status": "outside"' in text
    assert "no match of known position" in text


def test_inspect_and_verify(unplaced, tmp_path, capsys):
    assert run("verify", unplaced / "city.index") == 0
    assert run("inspect", unplaced / "city.index") == 0
    assert "6 photos of unknown position" in capsys.readouterr().out
    picture = tmp_path / "map.png"
    assert run("inspect", unplaced / "city.index", "--map", picture) == 2
    assert "No photo of the index has a position" in capsys.readouterr().err


def test_they_join_an_index_with_positions(model, tmp_path, capsys):
    photos, index = write_photos(tmp_path / "photos"), tmp_path / "city.index"
    assert build(model, photos, index) == 0
    write_photo(tmp_path / "more" / "x.png", (1, 2, 3))
    more = ["--photos", tmp_path / "more"]
    assert run("add", index, *more) == 2
    assert run("add", index, *more, "--without-positions") == 0
    assert "1 of 1 photos have no position" in capsys.readouterr().out
    with PlaceIndex.open(index) as opened:
        assert opened.photos.positions.known.sum() == len(opened.photos) - 1


def test_what_cannot_be_is_left_out_and_told(model, tmp_path, capsys):
    photos, index = tmp_path / "photos", tmp_path / "city.index"
    turned = gps_of(37.7, -122.5, heading_deg=400.0)
    write_photo(photos / "turned.jpg", (1, 2, 3), gps=turned)
    write_photo(photos / "zero.jpg", (40, 200, 3), gps=gps_of(0.0, 0.0))
    write_photo(photos / "silent.jpg", (90, 20, 160))
    assert build(model, photos, index, "--without-positions") == 0
    printed = capsys.readouterr().out
    assert "2 photos are taken without a position, heading, time" in printed
    assert "turned.jpg: EXIF heading_deg 400.0" in printed
    assert "zero.jpg: EXIF latitude and longitude are 0, 0" in printed
    assert "silent.jpg" not in printed
    with PlaceIndex.open(index) as opened:
        assert opened.photos.positions.known.sum() == 1


def test_pictures_of_matches(unplaced, tmp_path, capsys):
    index, photos = unplaced / "city.index", unplaced / "photos"
    pictures = ["--pictures", tmp_path / "found", "--k", 2]
    root = ["--photos-root", photos]
    named = [photos / "1.png", photos / "4.png"]
    assert run("query", index, *named, *pictures, *root) == 0
    assert f"Pictures: 2 in {tmp_path / 'found'}" in capsys.readouterr().out
    with Image.open(tmp_path / "found" / "query_000001.jpg") as picture:
        shown = {picture.getpixel((x, picture.height // 2)) for x in range(0, 600, 4)}
    near = [max(abs(a - b) for a, b in zip(p, COLOURS[4], strict=True)) for p in shown]
    assert min(near) < 12
    other = ["--photos-root", tmp_path]
    assert run("query", index, named[0], *pictures, *other) == 0
    assert f"2 matches are not in {tmp_path}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pictures", "found"], "Pass --photos-root DIR"),
        (["--photos-root", "."], "is of --pictures"),
        (["--pictures", "found", "--photos-root", "nowhere"], "no folder at nowhere"),
    ],
)
def test_pictures_need_the_photos(unplaced, capsys, options, message):
    photo = unplaced / "photos" / "1.png"
    assert run("query", unplaced / "city.index", photo, *options) == 2
    assert message in capsys.readouterr().err
