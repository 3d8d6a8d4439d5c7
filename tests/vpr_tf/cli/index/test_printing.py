"""Names of photos are printed in one line each, without commands of the terminal."""

import json
import logging

import pytest

from tests.command_line import on_index, vpr
from tests.vpr_tf.cli.index.conftest import build, write_photos
from tests.vpr_tf.test_printable import escapes
from vpr_tf.training.process import run_log

NAME = "1\x1b[2J\u202e\nFORGED.png"


@pytest.fixture(scope="module")
def named(model, tmp_path_factory):
    """An index with a photo of that name, and photos that cannot be read."""
    folder = tmp_path_factory.mktemp("named")
    photos = write_photos(folder / "photos")
    (photos / "1.png").rename(photos / NAME)
    (photos / f"wrong {NAME}").write_bytes(b"no image")
    options = ["--max-rejected-fraction", "0.5"]
    assert build(model, photos, folder / "city.index", *options) == 0
    return folder


COMMANDS = {
    "query": ["photos"],
    "inspect": [],
    "verify": [],
    "add": ["--photos", "photos", "--max-rejected-fraction", "0.5"],
    "remove": ["--keys", NAME, "--dry-run"],
    "remove unknown": ["--keys", f"none {NAME}"],
}


@pytest.mark.parametrize("name", [*COMMANDS, "localize", "build"])
def test_no_command_prints_a_name_raw(name, named, model, capsys):
    index = named / "city.index"
    if name == "localize":
        vpr("localize", named / "photos", "--index", index)
    elif name == "build":
        again = named / "again.index"
        build(model, named / "photos", again, "--max-rejected-fraction", "0.01")
    else:
        words = [named / word if word == "photos" else word for word in COMMANDS[name]]
        on_index(name.split()[0], index, *words)
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert escapes(text) <= {"\n", "\r"}
    assert not [line for line in text.splitlines() if line.startswith("FORGED")]
    if name not in ("inspect", "verify", "build"):
        assert r"1\x1b[2J\u202e\nFORGED.png" in text


def test_json_has_the_name_itself(named, capsys):
    on_index("query", named / "city.index", named / "photos" / NAME, "--json")
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out)[0]["photo"].endswith(NAME)


def test_log_file_has_the_name_escaped(tmp_path):
    with run_log(tmp_path / "train.log"):
        logging.getLogger("vpr_tf").warning("%s: damaged", NAME)
    assert not escapes((tmp_path / "train.log").read_text()) - {"\n"}
