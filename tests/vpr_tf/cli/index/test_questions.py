import json
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from tests.command_line import on_index as run
from tests.vpr_tf.cli.index.conftest import NUM_PHOTOS
from vpr_tf.cli.index.index_map import draw_map
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import PlaceIndex


def test_query_names_the_photo_itself_first(built, capsys):
    photos = built / "photos"
    assert run("query", built / "city.index", photos, "--k", 2, "--json") == 0
    answers = json.loads(capsys.readouterr().out)
    assert len(answers) == NUM_PHOTOS
    for number, answer in enumerate(answers):
        best = answer["matches"][0]
        assert answer["photo"] == str(photos / f"{number}.png")
        assert best["key"] == f"{number}.png"
        assert best["similarity"] == pytest.approx(1, abs=1e-4)
        assert best["latitude"] == pytest.approx(37.7 + number / 1000, abs=1e-6)
        assert best["heading_deg"] == pytest.approx(36 * number)
        assert len(answer["matches"]) == 2


def test_unreadable_photos_are_named_and_the_others_answered(built, tmp_path, capsys):
    whole = (built / "photos" / "3.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:200])
    (tmp_path / "text.jpg").write_text("hello")
    named = [tmp_path / "cut.png", built / "photos" / "4.png", tmp_path / "text.jpg"]
    assert run("query", built / "city.index", *named) == 1
    told = capsys.readouterr()
    assert "cut.png: PNG image is truncated" in told.err
    assert "text.jpg: not a JPEG or PNG image" in told.err
    assert told.out.splitlines()[1].endswith("4.png")
    assert run("query", built / "city.index", tmp_path / "gone.jpg", "--json") == 1
    assert "No such file" in json.loads(capsys.readouterr().out)[0]["error"]


def test_query_inside_a_circle(built, capsys):
    photo = built / "photos" / "1.png"
    circle = ["--within", "37.709,-122.5,120"]
    assert run("query", built / "city.index", photo, "--json", *circle) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert {match["key"] for match in answer["matches"]} == {"8.png", "9.png"}
    circle = ["--within", "-33.85,151.2,100"]
    assert run("query", built / "city.index", photo, *circle) == 0
    assert "no photo of the index lies there" in capsys.readouterr().out


def test_moved_folder_needs_nothing_else(built, tmp_path, capsys):
    moved = shutil.copytree(built / "city.index", tmp_path / "elsewhere")
    assert run("query", moved, built / "photos" / "2.png", "--k", 1) == 0
    assert "2.png" in capsys.readouterr().out.splitlines()[1]


def test_damaged_encoder_is_refused(built, tmp_path, capsys):
    moved = shutil.copytree(built / "city.index", tmp_path / "elsewhere")
    for kept in (moved / "encoder").iterdir():  # and its ONNX copy, if there is one
        with kept.open("r+b") as file:
            file.seek(1000)
            file.write(b"damage")
    assert run("query", moved, built / "photos" / "2.png") == 2
    error = capsys.readouterr().err
    assert re.search(r"encoder\.(keras|onnx) is damaged", error)
    assert run("verify", moved) == 1
    assert "encoder.keras has another sha256" in capsys.readouterr().out


def test_verify_of_a_whole_index(built, capsys):
    assert run("verify", built / "city.index") == 0
    assert "is intact" in capsys.readouterr().out


def test_inspect_tells_and_draws(built, tmp_path, capsys):
    file = tmp_path / "map.png"
    assert run("inspect", built / "city.index", "--map", file) == 0
    told = capsys.readouterr().out
    assert f"Photos:        {NUM_PHOTOS}" in told
    assert "latitude 37.70000 to 37.70900" in told
    assert "2010 (1), 2011 (1)" in told
    assert "square 32, float32" in told
    assert "Photos from:   Mapillary" in told
    with Image.open(file) as image:
        assert len(image.convert("RGB").getcolors(1 << 20)) > NUM_PHOTOS
    assert run("inspect", built / "city.index", "--map", tmp_path / "map.jpg") == 2
    assert "must be a .png file" in capsys.readouterr().err


def test_map_without_times(built, tmp_path):
    with PlaceIndex.open(built / "city.index") as index:
        photos = index.photos
    times = photos.timestamps.copy()
    times[:] = b""
    untimed = PhotoTable(photos.keys, photos.positions, photos.heading_deg, times)
    draw_map(untimed, tmp_path / "a.png", title="a")
    assert (tmp_path / "a.png").is_file()


def test_light_commands_do_not_import_tensorflow(built):
    code = (
        "import sys\n"
        "from vpr_tf.cli import main\n"
        f"index = ['--index', {str(built / 'city.index')!r}]\n"
        "assert main(['index', 'inspect', *index]) == 0\n"
        "assert main(['index', 'verify', *index]) == 0\n"
        "removing = ['--keys', '1.png', '--dry-run']\n"
        "assert main(['index', 'remove', *index, *removing]) == 0\n"
        "assert main(['query', *index, 'gone.jpg']) == 1\n"
        "photos = ['--photos', '/no', '--model', 'megaloc']\n"
        "assert main(['index', 'build', '--index', 'x', *photos]) == 2\n"
        "assert main(['models', 'show', 'megaloc']) == 0\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
