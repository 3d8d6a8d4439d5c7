import csv
import json
import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("imagehash")

from tests.command_line import vpr
from vpr_tf.config import ReadingConfig
from vpr_tf.photos import PhotoSourceError, scan_photos
from vpr_tf.photos.quality import read_flags
from vpr_tf.photos.quality.rules import flag_names

RNG = np.random.default_rng(5)
HOSTILE = "=<b>&.png"


def check(*words):
    return vpr("photos", "check", "--workers", 1, *words)


def draw(path, size=160):
    """Blocks of all grey levels: sharp, of high contrast, unlike any other."""
    cells = RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(cells).resize((size, size), Image.Resampling.NEAREST)
    image.save(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check") / "photos"
    folder.mkdir()
    lines = ["path,utm_east,utm_north,zone,heading_deg,timestamp"]
    for i in range(4):
        draw(folder / f"{i}.png")
        lines.append(
            f"{i}.png,550000.12,{4_174_000 + 10 * i}.07,10S,{i}.3000011,2019_06"
        )
    draw(folder / HOSTILE, size=100)
    (folder / "copy.png").write_bytes((folder / "2.png").read_bytes())
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    lines += [f"./{HOSTILE},,,,,", "copy.png,,,,,2020"]
    (folder / "table.csv").write_text("\n".join(lines).replace("2019_06", "201906"))
    return folder


def rows_of(table):
    with table.open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_folder_is_flagged_in_a_table_and_on_a_page(photos, capsys):
    assert check(photos, "--json") == 1
    content = json.loads(capsys.readouterr().out)
    assert (content["num_photos"], content["num_flagged"]) == (6, 2)
    assert content["flags"]["too_small"] == content["flags"]["duplicate"] == 1
    assert "unlike_neighbours" in content["not_checked"]
    table = photos.with_name("photos.checked.csv")
    assert content["table"] == str(table)
    rows = rows_of(table)
    assert rows[f"photos/{HOSTILE}"]["flags"] == "too_small"
    assert rows["photos/copy.png"]["duplicate_of"] == "photos/2.png"
    assert [rows[f"photos/{i}.png"]["flags"] for i in range(4)] == [""] * 4
    page = table.with_suffix(".html").read_text()
    assert "<b>&.png" not in page.replace("<wbr>", "")
    assert "=&lt;b&gt;&amp;.png" in page.replace("<wbr>", "")
    assert page.count("data:image/jpeg;base64,") == 2
    rejected = table.with_suffix(".rejected.csv").read_text()
    assert "broken.png" in rejected
    assert sorted(path.name for path in photos.parent.iterdir()) == [
        *("photos", "photos.checked.csv", "photos.checked.html"),
        "photos.checked.rejected.csv",
    ]


def test_table_keeps_what_was_known(photos, tmp_path):
    output = tmp_path / "new" / "out.csv"
    assert check(photos / "table.csv", "--output", output) == 1
    before = scan_photos(photos / "table.csv", needs_position=False, progress=False)
    after = scan_photos(output, needs_position=False, progress=False)
    for name in before.rows.dtype.names:
        if name not in ("key_end", "file_size"):
            np.testing.assert_array_equal(before.rows[name], after.rows[name], name)
    assert [after.file(row).endswith("/photos/0.png") for row in (0, 1)] == [
        True,
        False,
    ]
    found = read_flags(output, after, ReadingConfig())
    assert [bool(bit) for bit in found.flags] == [False] * 4 + [True, True]
    assert read_flags(photos / "table.csv", before, ReadingConfig()) is None


def test_thresholds_are_overridden(photos, tmp_path, capsys):
    words = ("--output", tmp_path / "t.csv", "--json", "build.quality.min_side_px=161")
    assert check(photos, *words) == 1
    assert json.loads(capsys.readouterr().out)["flags"]["too_small"] == 6
    assert check(photos, "build.quality.exclude=[blurr]") == 2
    assert "Did you mean blurred?" in capsys.readouterr().err


def test_output_is_never_the_table_that_is_read(photos, capsys):
    assert check(photos / "table.csv", "--output", photos / "table.csv") == 2
    assert "must be a new file" in capsys.readouterr().err
    assert check(photos, "--output", photos.with_name("x.txt")) == 2


def test_unknown_flags_of_a_table_are_refused(photos, tmp_path):
    table = tmp_path / "flags.csv"
    table.write_text(f"path,flags\n{photos}/0.png,blurry\n")
    files = scan_photos(table, needs_position=False, progress=False)
    with pytest.raises(PhotoSourceError, match=r"line 2.*flags.*Received: 'blurry'"):
        read_flags(table, files, ReadingConfig())


def test_what_is_there_is_kept_unless_told(photos, tmp_path, capsys):
    page = tmp_path / "t.html"
    page.write_text("mine")
    assert check(photos, "--output", tmp_path / "t.csv") == 2
    assert "t.html. Pass another --output, or --overwrite" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"]
    assert check(photos, "--output", tmp_path / "t.csv", "--overwrite") == 1
    assert page.read_text() != "mine"


def test_table_is_written_as_its_config_reads_it(photos, tmp_path):
    words = ("--delimiter", ";", "--columns", "path=photo")
    source, output = photos / "semicolons.csv", tmp_path / "t.csv"
    source.write_text("photo;heading_deg\n0.png;12345e-3\n")
    try:
        assert check(source, "--output", output, *words) == 0
    finally:
        source.unlink()
    header, row = output.read_text().splitlines()
    assert header.startswith("photo;latitude;")
    assert "/0.png;;;;;;12.345;" in row
    assert ";160;" in row


def test_flags_of_odd_rows(photos, tmp_path):
    """Listed twice, with too few fields, and gone since it was scanned."""
    table, place = tmp_path / "flags.csv", os.path.relpath(photos, tmp_path)
    header = "path,latitude,longitude,flags\n"
    whole = f"{place}/0.png,45,7,blurred\n"
    again, short = f"{place}/0.png,45,7,damaged\n", f"{place}/1.png,45,7,12,blurry\n"
    table.write_text(header + whole + again + short)
    files = scan_photos(table, needs_position=True, progress=False)
    assert files.paths.tolist() == [f"{place}/0.png".encode()]
    found = read_flags(table, files, ReadingConfig())
    assert flag_names(int(found.flags[0])) == ["blurred"]
    table.write_text(header + whole.replace("0.png", "2.png"))
    with pytest.raises(PhotoSourceError, match=r"was changed .*0\.png"):
        read_flags(table, files, ReadingConfig())
