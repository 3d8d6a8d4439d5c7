import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("imagehash")

from vpr_tf.config import QUALITY_FLAGS, QualityConfig
from vpr_tf.photos import scan_photos
from vpr_tf.photos.quality import RULES, flag_photos, measure_photos, measuring
from vpr_tf.photos.quality.rules import bits_of

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(6):
        cells = RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        image = Image.fromarray(cells).resize((160, 160), Image.Resampling.NEAREST)
        image.save(photos / f"{i}.png")
    (photos / "copy.png").write_bytes((photos / "3.png").read_bytes())
    Image.new("RGB", (64, 200)).save(photos / "small_and_black.png")
    return photos


def measured(folder, work, workers=1):
    files = scan_photos(folder, needs_position=False, progress=False)
    return measure_photos(files, work, workers=workers, progress=False)


def test_every_rule_has_a_flag_of_its_own():
    flags = [rule.flag for rule in RULES]
    assert len(set(flags)) == len(flags)
    assert set(flags) <= set(QUALITY_FLAGS)


def test_photos_are_flagged_with_reasons(folder, tmp_path):
    photos = measured(folder, tmp_path / "work")
    found = flag_photos(photos, RULES, QualityConfig())
    black = photos.files.photos.keys.tolist().index(b"small_and_black.png")
    assert {"too_small", "uniform", "underexposed"} <= set(found.names(black))
    assert found.reason(black, ["too_small", "damaged"]) == (
        "too_small: shorter_side_px 64 (`build.quality.min_side_px` is 128)"
    )
    assert found.counts() == {
        rule.flag: sum(rule.flag in found.names(row) for row in range(len(photos)))
        for rule in found.rules
    }


def test_first_of_equal_photos_is_kept(folder, tmp_path):
    photos = measured(folder, tmp_path / "work")
    found = flag_photos(photos, RULES, QualityConfig())
    keys = photos.files.photos.keys.tolist()
    assert found.names(keys.index(b"copy.png")) == ["duplicate"]
    # Sorted paths: 3.png comes before copy.png.
    assert found.names(keys.index(b"3.png")) == []
    assert found.reason(keys.index(b"copy.png"), ["duplicate"]).endswith("of 3.png")
    assert (found.flags & bits_of(["duplicate"]) != 0).sum() == 1


def test_interrupted_run_goes_on_and_ends_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "_CHUNK_PHOTOS", 2)
    whole = measured(folder, tmp_path / "whole")
    append, calls = measuring._Work.append, []

    def killed(self, *arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(arguments)
        append(self, *arguments)

    work = tmp_path / "killed"
    monkeypatch.setattr(measuring._Work, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        measured(folder, work)
    monkeypatch.setattr(measuring._Work, "append", append)
    assert json.loads((work / "progress.json").read_text())["num_photos"] == 4
    with (work / "measures.bin").open("ab") as file:
        file.write(b"half a row")
    seen = []
    chunk_of = measuring._chunk_of
    monkeypatch.setattr(
        measuring, "_chunk_of", lambda f, s: seen.append(s) or chunk_of(f, s)
    )
    assert measured(folder, work).measures.tobytes() == whole.measures.tobytes()
    assert seen == [4, 6]
    Image.new("RGB", (200, 200)).save(folder / "4.png")
    again = measured(folder, work)  # another photo: nothing of before counts
    assert seen == [4, 6, 0, 2, 4, 6]
    assert again.measures.tobytes() != whole.measures.tobytes()


def test_photo_that_does_not_decode_is_rejected(folder, tmp_path):
    content = (folder / "1.png").read_bytes()
    middle = len(content) // 2
    damaged = content[:middle] + bytes(40) + content[middle + 40 :]
    (folder / "1.png").write_bytes(damaged)
    photos = measured(folder, tmp_path / "work")
    assert len(photos) == 7
    ((path, reason),) = photos.files.rejected
    assert path == "1.png"
    assert reason.startswith("image does not decode")
    assert b"1.png" not in photos.files.photos.keys.tolist()
