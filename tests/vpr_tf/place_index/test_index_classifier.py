"""Index folders that keep a classifier: search, change, verify."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import on_index, vpr
from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from tests.vpr_tf.place_index.samples import add, create, remove
from vpr_tf.classification import (
    ClassTable,
    GridCells,
    GroupHead,
    PlaceClassifier,
    save_heads,
)
from vpr_tf.classification.prototype_search import PrototypeSearch
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.photos import scan_photos
from vpr_tf.place_index import (
    EncoderIdentity,
    GeoCircle,
    KeptClassifier,
    PlaceIndex,
)
from vpr_tf.place_index.manifest import STORED

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200)]
ENCODER = EncoderIdentity("mean colour", "mean colour", 3, Preprocessing())
_CELL_M = 20


def describe(photos):
    return FeatureExtractor(MeanColourEncoder()).extract_files(photos, progress=False)


def classifier_of(positions, descriptors) -> PlaceClassifier:
    """A cell and a class for each photo."""
    rows = np.arange(len(positions))
    size_cm = 100 * _CELL_M
    cells = GridCells(
        _CELL_M,
        positions.utm_zone.astype(np.int64),
        positions.utm_east_cm // size_cm,
        positions.utm_north_cm // size_cm,
    )
    members, unknown = rows[:, None].astype(np.int32), np.full(len(rows), -1.0)
    places = positions.take(rows)
    table = ClassTable(places, unknown, members, rows, cells, "own_group")
    return PlaceClassifier(table, (GroupHead("cosine", descriptors.T.copy()),))


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Path:
    """`photos` 111 m apart, and their `index`, which searches two cells."""
    folder = tmp_path_factory.mktemp("city")
    for number, colour in enumerate(COLOURS):
        gps = gps_of(37.7 + number / 1000, -122.5)
        write_photo(folder / f"photos/{number}.png", colour, gps=gps)
    described = describe(scan_photos(folder / "photos", progress=False))
    descriptors, photos = described.in_memory(), described.photos.photos
    classifier = classifier_of(photos.positions, descriptors)
    save_heads(classifier, folder / "heads")
    PrototypeSearch.build(classifier, "exact").write(folder / "heads" / "search")
    create(
        folder / "index",
        descriptors,
        photos,
        ENCODER,
        classifier=KeptClassifier("heads of a test", "cosine", 2, None, {}),
        classifier_source=folder / "heads",
    )
    return folder


@pytest.fixture(autouse=True)
def stored_encoder(monkeypatch):
    def open_encoder(folder, manifest, model=None, *, of_queries=False):
        return FeatureExtractor(MeanColourEncoder())

    monkeypatch.setattr("vpr_tf.place_index.index_encoder.open_encoder", open_encoder)


def cells_of(index, cells):
    return index.cell_filter(cells, None)


def found(index, query, cells, **options):
    best = cells_of(index, cells)
    matches = index.search(query[None], 99, cells=best, **options)
    rows = matches.rows[0]
    return [key.decode() for key in matches.photos.keys[rows[rows >= 0]]]


def test_the_best_cells_are_searched(city):
    with PlaceIndex.open(city / "index") as index:
        query = np.asarray(index.state().descriptors[2:3], np.float32)[0]
        nearest = found(index, query, None)
        assert len(nearest) == len(COLOURS)
        assert found(index, query, 1) == nearest[:1] == ["2.png"]
        assert found(index, query, STORED) == nearest[:2]
        assert found(index, query, 4) == nearest[:4]
        assert found(index, query, 5) == found(index, query, 99) == nearest


def test_all_cells_are_the_plain_search_to_the_last_row(city):
    with PlaceIndex.open(city / "index") as index:
        queries = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
        plain = index.search(queries, 9)
        narrowed = index.search(queries, 9, cells=cells_of(index, len(COLOURS)))
        np.testing.assert_array_equal(narrowed.rows, plain.rows)
        np.testing.assert_array_equal(narrowed.distances, plain.distances)


def test_a_circle_and_cells_both_hold(city):
    circle = GeoCircle(37.704, -122.5, 120)  # photos 3 and 4
    with PlaceIndex.open(city / "index") as index:
        query = np.asarray(index.state().descriptors[0:1], np.float32)[0]
        both = found(index, query, None, within=circle)
        assert set(both) == {"3.png", "4.png"}
        assert found(index, query, 1, within=circle) == both[:1]
        assert found(index, query, 2, within=circle) == both


def test_changes_are_searched_in_their_cells(city, tmp_path):
    folder = shutil.copytree(city / "index", tmp_path / "index")
    with PlaceIndex.open(folder) as index:
        query = np.asarray(index.state().descriptors[2:3], np.float32)[0]
        assert found(index, query, 1) == ["2.png"]
        for name, latitude in (("near", 37.702), ("far", 37.704), ("outside", 37.8)):
            gps = gps_of(latitude, -122.5)
            write_photo(tmp_path / "new" / f"{name}.png", COLOURS[2], gps=gps)
        write_photo(tmp_path / "new" / "nowhere.png", COLOURS[2], gps=gps_of(-60, 3))
        described = describe(scan_photos(tmp_path / "new", progress=False))
        add(folder, described.in_memory(), described.photos.photos)
        assert found(index, query, 1) == ["2.png", "near.png"]
        assert {"outside.png", "nowhere.png"} < set(found(index, query, None))
        remove(folder, ["2.png"])
        assert found(index, query, 1) == ["near.png"]
        remove(folder, ["near.png"])
        # The best cell has no photos any more, and leaves its place to the next.
        assert len(found(index, query, 1)) >= 1


def test_commands_search_the_cells(city, capsys):
    index, photo = str(city / "index"), str(city / "photos" / "2.png")
    for cells, count in ((["--cells", "1"], 1), ([], 2), (["--cells", "all"], 5)):
        assert on_index("query", index, photo, "--json", *cells) == 0
        (answer,) = json.loads(capsys.readouterr().out)
        assert len(answer["matches"]) == count
        words = ["--index", index, photo, "--json", *cells]
        assert vpr("localize", *words) == 0
        (found,) = json.loads(capsys.readouterr().out)["localizations"]
        assert found["num_candidates"] == count
    assert on_index("query", index, photo, "--cells", "0") == 2
    assert "Received: '0'" in capsys.readouterr().err


def test_the_classifier_is_named_and_verified(city, tmp_path, capsys):
    folder = shutil.copytree(city / "index", tmp_path / "index")
    assert on_index("inspect", folder) == 0
    line = "Classifier:    heads of a test (the best 2 cells, score cosine)"
    assert line in capsys.readouterr().out
    assert on_index("verify", folder) == 0
    for name in ("classifier.npz", "search/group0/squared_norms.npy"):
        content = (folder / "classifier" / name).read_bytes()
        (folder / "classifier" / name).write_bytes(content[:-1] + b"!")
        capsys.readouterr()
        assert on_index("verify", folder) == 1
        assert f"classifier/{name}" in capsys.readouterr().out
        assert on_index("query", folder, city / "photos" / "2.png") == 2
        assert f"{Path(name).name} is damaged" in capsys.readouterr().err
        (folder / "classifier" / name).write_bytes(content)
    (folder / "classifier" / "classifier.json").unlink()
    assert on_index("query", folder, city / "photos" / "2.png") == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_an_index_without_classifier_has_no_cells(city, tmp_path):
    with PlaceIndex.open(city / "index") as index:
        state = index.state()
        create(tmp_path / "plain", state.descriptors, state.photos, ENCODER)
    assert '"format_version": 1' in (tmp_path / "plain/manifest.json").read_text()
    assert '"classifier"' not in (tmp_path / "plain/manifest.json").read_text()
    with PlaceIndex.open(tmp_path / "plain") as index:
        assert cells_of(index, STORED) is None
        with pytest.raises(ValueError, match="keeps no classifier"):
            cells_of(index, 3)
