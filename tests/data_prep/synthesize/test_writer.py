import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.synthesize import writer
from data_prep.synthesize.writer import CONFIG_NAME, SynthesisError, write_city

from .small_city import small_config


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("city") / "images"
    counts = write_city(small_config(), folder, workers=1)
    return folder, counts


def test_write_city_same_bytes_with_two_workers(city, tmp_path):
    folder, _ = city
    write_city(small_config(), tmp_path / "again", workers=2)
    assert contents(tmp_path / "again") == contents(folder)


def test_write_city_another_seed_is_another_city(city, tmp_path):
    folder, _ = city
    write_city(small_config(seed=1), tmp_path / "other", workers=1)
    shared = set(contents(folder)) & set(contents(tmp_path / "other"))
    assert shared == {CONFIG_NAME}


def test_write_city_counts_and_sizes(city):
    folder, counts = city
    assert set(counts) == {
        "train",
        *[f"{split}/{part}" for split in ("val", "test") for part in PARTS],
    }
    for name, count in counts.items():
        assert len(list((folder / name).glob("*.jpg"))) == count
    assert counts["test/queries"] == 5
    assert counts["train"] == 4 * 4 * 2  # streets, headings, visits
    images = [Image.open(path) for path in folder.rglob("*.jpg")]
    assert {(image.format, image.size) for image in images} == {("JPEG", (32, 32))}


PARTS = ("database", "queries")


def test_write_city_images_are_not_flat(city):
    folder, _ = city
    deviations = [np.asarray(Image.open(p)).std() for p in folder.rglob("*.jpg")]
    assert np.median(deviations) > 25
    assert min(deviations) > 3


def test_write_city_resumes_and_keeps_what_is_there(city, tmp_path):
    folder, _ = city
    output = tmp_path / "resumed"
    write_city(small_config(), output, workers=1)
    before = contents(folder)
    images = sorted(output.rglob("*.jpg"))
    for path in images[::3]:
        path.unlink()
    half = images[1].parent / ".partial-123456-a"
    half.write_bytes(b"half an image")
    os.utime(half, (0, 0))
    kept = {path: path.stat().st_mtime_ns for path in output.rglob("*.jpg")}
    write_city(small_config(), output, workers=1)
    assert contents(output) == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_write_city_refuses_folder_of_another_city(city):
    folder, _ = city
    with pytest.raises(SynthesisError, match="another preset, seed or image size"):
        write_city(small_config(seed=5), folder, workers=1)


def test_write_city_refuses_foreign_folder(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(SynthesisError, match="new or empty folder"):
        write_city(small_config(), tmp_path, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_write_city_unwritable_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SynthesisError, match="Choose a writable --output"):
        write_city(small_config(), tmp_path / "file" / "city", workers=1)


def test_write_city_full_disk_keeps_finished_images(city, tmp_path, monkeypatch):
    folder, _ = city
    written = []

    def write_until_full(path: Path, data: bytes) -> None:
        if len(written) == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_write_atomically", write_until_full)
        with pytest.raises(SynthesisError, match="No space left"):
            write_city(small_config(), tmp_path / "full", workers=1)
    assert all(path.exists() for path in written)
    write_city(small_config(), tmp_path / "full", workers=1)
    assert contents(tmp_path / "full") == contents(folder)


def test_config_file_describes_the_city(city):
    folder, _ = city
    described = json.loads((folder / CONFIG_NAME).read_text())
    assert described["seed"] == 0
    assert described["preset"]["image_size"] == 32
