"""Leaving out by the flags of a table."""

import pytest
from PIL import Image

pytest.importorskip("imagehash")

from vpr_tf.config import QualityConfig
from vpr_tf.photos import PhotoSource, PhotoSourceError, scan_photos
from vpr_tf.photos.quality import leave_out_flagged

COLUMNS = "path,flags,shorter_side_px,duplicate_of,near_duplicate_of"


def kept(folder, lines, *exclude):
    for name in "abcd":
        Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    table = folder / "table.csv"
    table.write_text("\n".join(lines))
    files = scan_photos(table, needs_position=False, progress=False)
    source = PhotoSource(table, needs_position=False)
    config = QualityConfig(exclude=list(exclude))
    left = leave_out_flagged(files, source, config, folder / "work", workers=1)
    return [path.decode()[0] for path in left.paths.tolist()]


def test_copy_stays_where_its_original_does_not(tmp_path):
    lines = [
        COLUMNS,
        "a.png,too_small,8,,",
        "b.png,near_duplicate,800,,a.png",  # of one that is left out
        "c.png,duplicate,800,b.png,",  # of one that stays then
        "d.png,duplicate,800,gone.png,",  # of one that is not in the table
    ]
    flags = ("too_small", "duplicate", "near_duplicate")
    assert kept(tmp_path, lines, *flags) == ["b", "d"]
    assert kept(tmp_path, lines, *flags[1:]) == ["a", "d"]
    lines[1] = "a.png,,8,,"
    assert kept(tmp_path, lines, *flags) == ["a", "d"]


def test_flags_that_nobody_looked_for_are_refused(tmp_path, capsys):
    lines = [COLUMNS, "a.png,damaged,8,,", "b.png,,8,,"]
    # By its column, and by a photo that has it.
    assert kept(tmp_path, lines, "too_small", "damaged") == ["b"]
    with pytest.raises(PhotoSourceError, match=r"blurred, which .* lacks sharpness"):
        kept(tmp_path, lines, "blurred")
    with pytest.raises(PhotoSourceError, match="--model MODEL"):
        kept(tmp_path, lines, "unlike_neighbours")
    assert kept(tmp_path, lines, "position_jump") == ["a", "b"]
    assert "No photo can be position_jump" in capsys.readouterr().out
