"""Builds that leave out photos by their flags."""

import csv
import shutil

import pytest

pytest.importorskip("imagehash")

from data_prep.build import build_dataset
from data_prep.errors import DataPrepError
from data_prep.inspection.report import count_split, describe_splits
from tests.data_prep.conftest import encode_image, image_name
from vpr_tf.config import DatabaseAndQueries, QualityConfig

NUM_PHOTOS = 24
SMALL = range(20, 24)  # the last ones
QUALITY = QualityConfig(exclude=["too_small", "duplicate"], min_side_px=64)


@pytest.fixture
def photos(tmp_path):
    """Good photos, four small ones, a copy of one, and queries that are all small."""
    names = [image_name(i) for i in range(NUM_PHOTOS)]
    for folder in ("train", "queries"):
        (tmp_path / folder).mkdir()
    for i, name in enumerate(names):
        size = (40, 40) if i in SMALL else (80, 72)
        (tmp_path / "train" / name).write_bytes(encode_image(i, "PNG", size))
        (tmp_path / "queries" / name).write_bytes(encode_image(i, "PNG", (40, 40)))
    (tmp_path / "train" / image_name(99)).write_bytes(encode_image(3, "PNG", (80, 72)))
    return names


@pytest.fixture
def config(photos, make_config):
    val = DatabaseAndQueries("train", "queries")
    return make_config(quality=QUALITY, val=val, images_per_shard=8)


def contents(dataset):
    return {
        path.relative_to(dataset.path).as_posix(): path.read_bytes()
        for path in sorted(dataset.path.rglob("*"))
        if path.is_file()
    }


def test_flagged_photos_are_left_out_with_reasons(photos, config, tmp_path, capsys):
    dataset = build_dataset(config)
    kept = {bytes(key).decode() for key in dataset.split("train").keys}
    # The copy has the later name, as its east is larger.
    first, second = sorted((photos[3], image_name(99)))
    assert kept == {first, *photos[:3], *photos[4:20]}
    assert len(dataset.split("val-queries")) == NUM_PHOTOS
    with (dataset.path / "rejected.csv").open(newline="") as file:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        f"train/{second}": f"duplicate: duplicate_of {first}",
        **{
            f"train/{photos[i]}": "too_small: shorter_side_px 40 "
            "(`build.quality.min_side_px` is 64)"
            for i in SMALL
        },
    }
    assert dataset.manifest["splits"]["train"]["num_rejected"] == 0
    assert dataset.manifest["splits"]["train"]["num_flagged"] == 5
    assert "5 photos left out by their flags" in capsys.readouterr().out
    told = describe_splits(dataset, {"train": count_split(dataset.split("train"))})
    assert "train: 5 images were left out by their flags" in told


def test_flags_of_a_table_are_taken_without_looking(
    photos, config, tmp_path, make_config
):
    lines = ["path,utm_east,utm_north,zone,heading_deg,flags"]
    lines += [
        f"train/{name},{544_000 + i},4174000,10S,0,{'blurred' if i < 5 else ''}"
        for i, name in enumerate(photos)
    ]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    quality = QualityConfig(exclude=["blurred", "position_jump"])
    dataset = build_dataset(make_config(train="table.csv", quality=quality))
    assert len(dataset.split("train")) == NUM_PHOTOS - 5
    rejected = (dataset.path / "rejected.csv").read_text()
    assert rejected.count(",blurred in table.csv") == 5


def test_killed_build_goes_on_and_ends_the_same(config, tmp_path, monkeypatch):
    import data_prep.build
    import data_prep.exclusion
    from vpr_tf.photos.quality import checking

    undisturbed = contents(build_dataset(config))
    shutil.rmtree(config.dataset.path)

    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    for module, name in (
        (data_prep.build, "exclude_photos"),
        (data_prep.exclusion, "leave_out_flagged"),
        (checking, "flag_photos"),
        (data_prep.exclusion.MetadataTable, "append"),
        (data_prep.build, "assign_train_classes"),
        (data_prep.build, "write_shards"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            with pytest.raises(Killed):
                build_dataset(config)
    assert contents(build_dataset(config)) == undisturbed


def test_nothing_left_is_an_error(config, make_config):
    quality = QualityConfig(exclude=["too_small"], min_side_px=100)
    with pytest.raises(DataPrepError, match=r"No photo of .*train is left"):
        build_dataset(make_config(quality=quality))


def test_thresholds_do_not_matter_where_nothing_is_left_out(make_config, photos):
    path = build_dataset(make_config()).path
    build_dataset(make_config(quality=QualityConfig(min_side_px=3)))
    with pytest.raises(DataPrepError, match=r"build\.quality\.exclude is \[\] there"):
        build_dataset(make_config(quality=QUALITY))
    assert path.is_dir()


@pytest.mark.parametrize(
    ("train", "exclude", "message"),
    [
        ("train", "unlike_neighbours", "found by descriptors"),
        ("table.csv", "too_small", "blury"),
    ],
)
def test_flags_that_cannot_be_found_stop_before_the_scan(
    photos, make_config, tmp_path, monkeypatch, train, exclude, message
):
    import data_prep.build

    (tmp_path / "table.csv").write_text(
        f"path,utm_east,utm_north,zone,heading_deg,flags\n"
        f"train/{photos[0]},544000,4174000,10S,0,blury\n"
    )
    with monkeypatch.context() as patch:
        patch.delattr(data_prep.build, "scan_split")
        with pytest.raises(DataPrepError, match=message):
            build_dataset(
                make_config(train=train, quality=QualityConfig(exclude=[exclude]))
            )
    # The folder is free for another config.
    assert len(build_dataset(make_config()).split("train")) == NUM_PHOTOS + 1


def test_without_imagehash_it_stops_before_the_scan(config, monkeypatch):
    import sys

    import data_prep.build

    monkeypatch.setitem(sys.modules, "imagehash", None)
    monkeypatch.delattr(data_prep.build, "scan_split")
    with pytest.raises(DataPrepError, match=r"vpr_tf\[quality\]"):
        build_dataset(config)


def test_photos_that_do_not_decode_count_as_rejected(photos, make_config, tmp_path):
    for name in photos[:3]:
        content = (tmp_path / "train" / name).read_bytes()
        (tmp_path / "train" / name).write_bytes(
            content[:400] + bytes(400) + content[800:]
        )
    build = {"quality": QUALITY, "verify": "header"}
    with pytest.raises(DataPrepError, match=r"3 of the first 25 .*cannot be used"):
        build_dataset(make_config(max_rejected_fraction=0.1, **build))
    dataset = build_dataset(make_config(max_rejected_fraction=0.2, **build))
    train = dataset.manifest["splits"]["train"]
    assert (train["num_rejected"], train["num_flagged"]) == (3, 5)
