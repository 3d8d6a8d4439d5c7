import json

import numpy as np
import pytest
from PIL import Image

from tests.command_line import vpr

NORTHS = [*range(0, 200, 10), *range(300, 500, 10)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A table of a street with a gap of 100 m; the photos before it are older."""
    folder = tmp_path_factory.mktemp("photos")
    lines = ["path,utm_east,utm_north,zone,heading_deg,timestamp"]
    for number, north in enumerate(NORTHS):
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
        year = 2010 if north < 200 else 2019
        place = f"{550_010},{4_174_000 + north},10S"
        lines.append(f"{number}.png,{place},{90 * number % 360},{year}")
    Image.new("RGB", (8, 8)).save(folder / "nowhere.png")
    lines += ["nowhere.png,,,,,2019", "none.png,550010,4174000,10S,0,2019"]
    (folder / "photos.csv").write_text("\n".join(lines))
    return folder / "photos.csv"


def coverage(*words):
    return vpr("photos", "coverage", *words)


def test_coverage_prints_json_and_writes_map_and_cells(photos, tmp_path, capsys):
    assert coverage(photos, "--output", tmp_path / "new/out", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["num_photos"] == len(NORTHS)
    assert content["old_before"] == 2014
    assert content["num_missing"] >= 2
    assert content["num_old"] == pytest.approx(content["num_covered"] / 2, abs=1)
    cells = json.loads((tmp_path / "new/out/coverage.geojson").read_text())["features"]
    states = [cell["properties"] for cell in cells]
    assert sum(state["missing"] for state in states) == content["num_missing"]
    assert sum(state["photos"] for state in states) == len(NORTHS)
    picture = np.asarray(Image.open(tmp_path / "new/out/coverage.png").convert("RGB"))
    orange = (np.abs(picture.astype(int) - [0xD5, 0x5E, 0]) < 8).all(axis=2)
    assert orange.sum() > 1000


def test_coverage_prints_a_summary(photos, capsys):
    assert coverage(photos, "--few", 3, "--old-before", 2020) == 0
    text, messages = capsys.readouterr()
    assert "left out: 1 without a position, 1 that cannot be used" in text
    assert "none.png: line" in messages
    assert "Fewer than 3" in text
    assert "(100% of those with photos)" in text


def test_coverage_refuses_in_one_line(photos, tmp_path, capsys):
    for words, message in [
        ((), "Pass either"),
        ((photos, "--index", "x.index"), "Pass either"),
        ((photos, "--cell-size", "0"), "side of a cell"),
        ((photos, "--cell-size", "nan"), "side of a cell"),
        ((tmp_path / "none",), "No folder of photos"),
    ]:
        assert coverage(*words) == 2
        assert message in capsys.readouterr().err
