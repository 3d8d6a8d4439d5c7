"""Photos whose names hold line breaks, bytes that are no text and the like."""

import csv
import os
import shutil

import pytest

from data_prep.build import build_dataset
from tests.command_line import vpr
from tests.small_training import build_small_encoder, small_config
from vpr_tf.training import encoders
from vpr_tf.training import train as train_module
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.train import train

ODD = (
    *(b"line\nbreak", b"return\rtab\t", b"\x1b[2J\x07", b"no text \xff\xfe"),
    *("\N{GRINNING FACE}".encode(), "\N{RIGHT-TO-LEFT OVERRIDE}gpj".encode()),
    *(b"=1+1", b'quote" comma, $x^$ <b>', "\N{LINE SEPARATOR}".encode()),
)


def rename_oddly(folder):
    """Puts odd text into the note, the last field of the names."""
    for number, path in enumerate(sorted(os.scandir(os.fsencode(folder)), key=str)):
        note = ODD[number % len(ODD)]
        name = path.name.replace(b"@.jpg", note + b"@.jpg")
        if number == 0:  # as long as a name may be
            name = name.replace(b"@.jpg", b"n" * (255 - len(name)) + b"@.jpg")
        os.rename(path.path, os.path.join(os.path.dirname(path.path), name))  # noqa: PTH104, PTH118, PTH120


@pytest.mark.slow
def test_all_from_photos_to_reports(
    small_training_dataset, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(train_module, "build_encoder", build_small_encoder)
    monkeypatch.setattr(encoders, "build_encoder", build_small_encoder)
    shutil.copytree(small_training_dataset.path.parent / "images", tmp_path / "images")
    for name in ("train", "val/database", "val/queries", "test/database"):
        rename_oddly(tmp_path / "images" / name)
    rename_oddly(tmp_path / "images" / "test/queries")
    dataset = tmp_path / "dataset"
    overrides = ("train.epochs=1", "evaluation.queries_to_draw=8")
    overrides += ("train.export=best",)
    overrides += ("build.max_rejected_fraction=0.2",)
    config = small_config(tmp_path, dataset, *overrides)
    splits = build_dataset(config).manifest["splits"]
    num_left = len(queries_of(config))
    # What is no UTF-8 cannot be kept in tables, and is named in rejected.csv.
    assert splits["train"]["num_rejected"] == 5
    assert num_left == 8 - splits["test-test-queries"]["num_rejected"] == 7
    run = RunFolder(train(config).run)
    assert len(list(run.report.glob("*/test/pictures/*.jpg"))) == num_left

    words = ["--config", tmp_path / "small.yaml", "--model"]
    words += [tmp_path / "savedmodels" / "small", *overrides]
    assert vpr("evaluate", *words) == 0
    assert vpr("evaluate", "--report", *words) == 0
    keys = {key.decode(errors="replace") for key in queries_of(config)}
    tables = list(tmp_path.rglob("per_query.csv"))
    assert tables
    for table in tables:
        with table.open(newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == len(keys)

    photos = tmp_path / "images" / "test" / "queries"
    index = tmp_path / "city.index"
    model = words[3]
    built = ["index", "build", "--photos", tmp_path / "images/test/database"]
    built += ["--max-rejected-fraction", "0.2"]
    assert vpr(*built, "--index", index, "--model", model) == 0
    pictures = ["--pictures", tmp_path / "drawn", "--photos-root"]
    pictures += [tmp_path / "images/test/database"]
    assert vpr("query", "--index", index, photos, *pictures) == 1
    assert len(list((tmp_path / "drawn").iterdir())) == num_left
    for form in ([], ["--json"], ["--geojson"]):
        file = tmp_path / "localized"
        assert vpr("localize", "--index", index, photos, *form, "--output", file) == 1
        assert file.read_text(encoding="utf-8")
    assert "Traceback" not in capsys.readouterr().err


def queries_of(config):
    from vpr_tf.data.prepared_dataset import PreparedDataset

    return PreparedDataset(config.dataset.path).split("test-test-queries").column("key")
