import errno
from pathlib import Path

import pytest

from data_prep.__main__ import main
from tests.data_prep.conftest import write_images
from tests.data_prep.test_build_dataset import write_yaml
from vpr_tf.data.prepared_dataset import PreparedDataset


def test_build_partition_inspect(tmp_path, capsys):
    write_images(tmp_path / "train", 20)
    config = str(write_yaml(tmp_path))
    assert main(["build", "--config", config, "build.workers=1"]) == 0
    added = ["build.partition.name=coarse", "build.partition.cell_size_m=50"]
    assert main(["partition", "--config", config, *added]) == 0
    assert PreparedDataset(tmp_path / "dataset").partition_names == [
        "coarse",
        "cosplace",
    ]
    pictures = tmp_path / "pictures"
    command = ["inspect", "--config", config, "--output", str(pictures), "--verify"]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "partition coarse: M=50 m" in output
    assert "verified: intact" in output
    assert {path.name for path in pictures.iterdir()} == {
        "images_per_year.png",
        "headings.png",
        *(
            f"{name}_{what}.png"
            for name in ("coarse", "cosplace")
            for what in ("images_per_class", "classes_per_group", "map_zone_10N")
        ),
    }


def test_add_test(tmp_path, capsys):
    for folder in ("train", "tokyo/database", "tokyo/queries"):
        write_images(tmp_path / folder, 8)
    config = str(write_yaml(tmp_path))
    assert main(["build", "--config", config]) == 0
    sets = ["tokyo=tokyo/database,tokyo/queries", "build.workers=1"]
    assert main(["add-test", "--config", config, *sets]) == 0
    assert list(PreparedDataset(tmp_path / "dataset").tests) == ["tokyo"]
    assert main(["add-test", "--config", config, *sets, "--print-config"]) == 0
    assert "seed: 0" in capsys.readouterr().out
    paths = "../tokyo=tokyo/database,tokyo/queries"
    assert main(["add-test", "--config", config, paths]) == 2
    assert "`build.tests` must be a name" in capsys.readouterr().err
    assert main(["add-test", "--config", config, "tokyo=tokyo/database"]) == 2
    assert "must be given as NAME=DATABASE,QUERIES" in capsys.readouterr().err


def test_a_dataset_that_cannot_be_written_is_inspected_elsewhere(
    tmp_path, capsys, monkeypatch
):
    write_images(tmp_path / "train", 4)
    config = str(write_yaml(tmp_path))
    assert main(["build", "--config", config]) == 0
    make = Path.mkdir

    def refuse(path, *arguments, **options):
        if path.is_relative_to(tmp_path / "dataset"):
            raise OSError(errno.EROFS, "Read-only file system")
        make(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert main(["inspect", "--config", config]) == 2
    assert "or have the pictures elsewhere by `--output DIR`" in capsys.readouterr().err
    pictures = str(tmp_path / "pictures")
    assert main(["inspect", "--config", config, "--output", pictures]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "--config", "nowhere.yaml"], "No config file"),
        (["inspect", "--dataset", "nowhere"], "No prepared dataset at nowhere"),
        (["inspect", "--dataset", "nowhere", "a=b"], "Use --config"),
    ],
)
def test_errors_are_one_message_and_status_2(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_interrupt_says_that_a_rerun_continues(tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    write_images(tmp_path / "train", 2)
    monkeypatch.setattr("data_prep.build.build_dataset", interrupt)
    assert main(["build", "--config", str(write_yaml(tmp_path))]) == 130
    assert "The same command continues" in capsys.readouterr().err
