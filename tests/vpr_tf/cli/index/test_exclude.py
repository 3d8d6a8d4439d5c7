"""`--exclude` of photos by their flags."""

import shutil

import pytest

pytest.importorskip("imagehash")

from tests.command_line import on_index, vpr
from tests.vpr_tf.cli.index.conftest import NUM_PHOTOS, build, write_photos
from vpr_tf.place_index import PlaceIndex


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Photos of one colour each, one of them twice, with their table."""
    folder = tmp_path_factory.mktemp("exclude")
    photos = write_photos(folder / "photos")
    (photos / "copy.png").write_bytes((photos / "4.png").read_bytes())
    assert vpr("photos", "check", photos, "--workers", 1) == 1
    return photos


def num_photos(index):
    with PlaceIndex.open(index) as opened:
        return opened.num_photos


def test_flagged_photos_are_left_out_with_reasons(model, checked, tmp_path, capsys):
    table, index = checked.with_name("photos.checked.csv"), tmp_path / "city.index"
    rejected = tmp_path / "city.index.rejected.csv"
    # Of a table, the flags that it has.
    assert build(model, table, index, "--exclude", "duplicate,blurred") == 0
    assert num_photos(index) == NUM_PHOTOS
    assert "1 photos are left out. All reasons:" in capsys.readouterr().out
    assert rejected.read_text().splitlines()[1:] == [
        "photos/copy.png,duplicate in photos.checked.csv"
    ]
    # Of a folder, those that are found.
    words = ("--photos", checked, "--exclude", "duplicate", "--prefix", "again/")
    assert on_index("add", index, *words, "--json") == 0
    assert num_photos(index) == 2 * NUM_PHOTOS
    assert rejected.read_text().splitlines()[1:] == [
        "copy.png,duplicate: duplicate_of again/4.png"
    ]
    assert sorted(tmp_path.iterdir()) == [index, rejected]


def test_exclude_is_refused_where_it_cannot_be(model, checked, tmp_path, capsys):
    index = tmp_path / "city.index"
    assert build(model, checked, index, "--exclude", "blur") == 2
    assert "Did you mean blurred?" in capsys.readouterr().err
    of_config = "build.quality.exclude=[unlike_neighbours]"
    for words in ((), ("--config", model.parent / "tiny.yaml")):
        of_model = ("--photos", checked, "--model", model, *words)
        assert on_index("build", index, *of_model, of_config) == 2
        assert "--model MODEL" in capsys.readouterr().err
    assert build(model, checked, index, "--exclude", "uniform") == 2
    assert "No photo of" in capsys.readouterr().err
    config = model.parent / "tiny.yaml"
    words = ("--config", config, "--model", model, "--exclude", "blurred")
    assert on_index("build", index, *words) == 2
    assert "build.quality.exclude" in capsys.readouterr().err
    assert not index.exists()


@pytest.mark.parametrize("existing", ["error", "skip", "replace"])
def test_add_that_was_killed_when_it_was_done_adds_nothing_else(
    built, checked, tmp_path, monkeypatch, capsys, existing
):
    index = shutil.copytree(built / "city.index", tmp_path / "city.index")
    words = ("--photos", checked, "--prefix", "again/", "--existing", existing)
    words = (*words, "--exclude", "duplicate", "--workers", 1)
    add = PlaceIndex.add

    def killed(*args, **kwargs):
        add(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(PlaceIndex, "add", killed)
        assert on_index("add", index, *words) == 130
    assert num_photos(index) == 2 * NUM_PHOTOS
    assert on_index("add", index, *words[:-1], 2) == 0
    told = capsys.readouterr().out
    assert (f"All {NUM_PHOTOS} photos are in" in told) == (existing != "replace")
    assert num_photos(index) == 2 * NUM_PHOTOS
    assert not tmp_path.joinpath("city.index.adding").exists()


def test_add_takes_thresholds_of_quality(built, checked, tmp_path, capsys):
    index = shutil.copytree(built / "city.index", tmp_path / "city.index")
    words = ("--photos", checked, "--prefix", "again/", "--exclude", "too_small")
    assert on_index("add", index, *words, "evaluation.batch_size=2") == 2
    assert "Received: 'evaluation.batch_size=2'" in capsys.readouterr().err
    large = "build.quality.min_side_px=4000"
    assert on_index("add", index, *words, "--workers", 1, large) == 2
    assert "No photo of" in capsys.readouterr().err
    small = "build.quality.min_side_px=1"
    assert on_index("add", index, *words, "--workers", 1, small) == 0
    assert num_photos(index) == 2 * NUM_PHOTOS + 1
