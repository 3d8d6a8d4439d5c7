"""Key points that `vpr index build` and `add` keep, and `vpr localize` compares by."""

import json

import pytest

from tests.command_line import on_index, vpr
from tests.vpr_tf.cli.index.conftest import build
from tests.vpr_tf.matching.streets import png, street
from vpr_tf.config import LocalizationConfig, RerankConfig
from vpr_tf.localization import to_stored
from vpr_tf.place_index import PlaceIndex

KEEP = ("--keep-local-features", "--matcher", "sift")


def write_streets(folder, seeds):
    """Photos and the table of their positions."""
    folder.mkdir()
    lines = ["path,latitude,longitude"]
    for seed in seeds:
        (folder / f"{seed}.png").write_bytes(png(street(seed, 200)))
        lines.append(f"{folder.name}/{seed}.png,{37.7 + seed / 100},-122.5")
    table = folder.with_suffix(".csv")
    table.write_text("\n".join(lines))
    return table


@pytest.fixture(scope="module")
def kept(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    photos = write_streets(folder / "photos", range(3))
    assert build(model, photos, folder / "city.index", *KEEP) == 0
    return folder / "city.index"


def localized(capsys, index, tmp_path, seed, *words):
    capsys.readouterr()
    (tmp_path / "query.png").write_bytes(png(street(seed, 200)[:, 20:]))
    words = ("--rerank", "always", "--matcher", "sift", "--json", *words)
    status = vpr("localize", "--index", index, tmp_path / "query.png", *words)
    return status, json.loads(capsys.readouterr().out)["localizations"][0]


def test_reranking_needs_no_photos(kept, model, tmp_path, capsys):
    added = write_streets(tmp_path / "added", (5,))
    add = ("--photos", added, "--without-local-features")
    capsys.readouterr()
    assert on_index("inspect", kept) == 0
    out = capsys.readouterr().out
    assert "by sift, 1024 points, 640 px" in out
    assert "key points " in out.split("Disk")[1]
    status, found = localized(capsys, kept, tmp_path, 1)
    assert status == 0
    assert found["matches"][0]["key"].endswith("1.png")
    assert found["matches"][0]["inliers"] > 30
    assert on_index("add", kept, *add) == 0
    _, found = localized(capsys, kept, tmp_path, 5)
    assert (
        "5.png cannot be read: the index keeps no key points of it"
        in (found["warning"])
    )
    assert on_index("add", kept, *add[:-1], "--existing", "replace") == 0
    _, found = localized(capsys, kept, tmp_path, 5)
    assert found["matches"][0]["key"].endswith("5.png")
    assert found["warning"] == ""


def test_an_index_that_re_ranks_says_what_is_missing(kept, tmp_path, capsys):
    config = LocalizationConfig(rerank=RerankConfig("always"))
    with PlaceIndex.open(kept) as index:
        index.set_localization(to_stored(config, None))
        (tmp_path / "query.png").write_bytes(png(street(1, 200)))
        capsys.readouterr()
        assert vpr("localize", "--index", kept, tmp_path / "query.png") == 0
        assert "none was. Pass --matcher-weights FILE" in capsys.readouterr().out
        index.set_localization(None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--matcher", "sift"], "Pass --keep-local-features as well"),
        (["--keep-local-features"], "xfeat needs its weights"),
    ],
)
def test_a_matcher_that_cannot_be_is_told_before_photos_are_described(
    model, tmp_path, capsys, words, message
):
    photos = write_streets(tmp_path / "photos", range(1))
    assert build(model, photos, tmp_path / "city.index", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "city.index").exists()


def test_weights_for_nothing_are_refused(built, tmp_path, capsys):
    (tmp_path / "xfeat.weights.h5").touch()
    words = ("--photos", built / "photos", "--existing", "replace")
    weights = ("--matcher-weights", tmp_path / "xfeat.weights.h5")
    assert on_index("add", built / "city.index", *words, *weights) == 2
    assert "none are kept of these" in capsys.readouterr().err
    with PlaceIndex.open(built / "city.index") as index:
        assert index.manifest.format_version == 4
