import hashlib
import json

import numpy as np
import pytest

from tests.vpr_tf.classification.tables import Columns, grid_table, partition_of, places
from tests.vpr_tf.classification.tiny_classifier import random_classifier
from vpr_tf.classification import (
    ClassificationError,
    ClassTable,
    load_heads,
    save_heads,
)
from vpr_tf.classification.regression import ENCODINGS, PlaceRegression
from vpr_tf.config import ClassificationConfig, CombinatorialConfig
from vpr_tf.geo import MapFrame
from vpr_tf.layers import (
    DirectRegressionHead,
    HypersphereRegressionHead,
    UnitRegressionHead,
)

CONFIG = ClassificationConfig(score="softmax")
POINTS = places(np.random.default_rng(0).uniform(0, 150, (90, 2)))


def regression(encoding="direct_regression", **more):
    rng = np.random.default_rng(2)
    layer = rng.normal(size=(6, 6)).astype(np.float32), np.ones(6, np.float32)
    outputs = ENCODINGS[encoding]
    kernel, bias = rng.normal(size=(6, outputs)), rng.normal(size=outputs)
    return PlaceRegression(
        encoding,
        kernel.astype(np.float32),
        bias.astype(np.float32),
        (layer,),
        MapFrame.around(POINTS),
        {"name": "r"},
        **more,
    )


def check_same_predictions(heads, restored):
    x = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    expected, found = heads.predict(x, 4), restored.predict(x, 4)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.places.utm_east_cm, expected.places.utm_east_cm)
    assert restored.info == heads.info


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_a_classifier_is_the_same_after_loading(tmp_path, kind):
    heads = random_classifier(grid_table(POINTS), kind=kind, hidden=1, score="softmax")
    save_heads(heads, tmp_path / "run" / "best" / "classifier")

    restored = load_heads(tmp_path / "run", CONFIG)

    check_same_predictions(heads, restored)
    np.testing.assert_array_equal(
        restored.table.cells.locate(POINTS), heads.table.cells.locate(POINTS)
    )


@pytest.mark.parametrize("config", [None, ClassificationConfig()])
@pytest.mark.parametrize(
    ("kind", "score", "warns"),
    [
        ("linear", "cosine", True),
        ("linear", "softmax", False),
        ("linear", "raw", False),
        ("cosine", "cosine", False),
        ("mixture", "cosine", False),
    ],
)
def test_a_stored_score_stays_and_one_that_was_not_learned_is_warned_of(
    tmp_path, caplog, config, kind, score, warns
):
    save_heads(random_classifier(grid_table(POINTS), kind=kind, score=score), tmp_path)
    assert load_heads(tmp_path, config).score == score
    assert ("classification.score=softmax" in caplog.text) == warns
    caplog.clear()
    assert load_heads(tmp_path, ClassificationConfig(score="cosine")).score == "cosine"
    assert bool(caplog.text) == (kind == "linear")
    caplog.clear()
    assert load_heads(tmp_path, CONFIG).score == "softmax"
    assert load_heads(tmp_path, config, score="cosine").score == "cosine"
    assert not caplog.text


def test_a_classifier_of_s2_cells_is_the_same_after_loading(tmp_path):
    columns = Columns(POINTS)
    config = CombinatorialConfig(min_images_per_class=1, num_classes=9)
    partition = partition_of(columns, config)
    heads = random_classifier(ClassTable.from_partition(partition, columns))
    save_heads(heads, tmp_path)

    restored = load_heads(tmp_path, CONFIG)

    check_same_predictions(heads, restored)
    located = restored.table.cells.locate(POINTS)
    np.testing.assert_array_equal(located, heads.table.cells.locate(POINTS))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_regression_is_the_same_after_loading(tmp_path, encoding):
    heads = regression(encoding)
    save_heads(heads, tmp_path)
    check_same_predictions(heads, load_heads(tmp_path, CONFIG))


def test_angles_of_a_hypersphere_are_stored_and_are_45_degrees_where_they_are_not():
    heads = regression("hypersphere_regression", angles_deg=(15.0, 45.0))
    arrays, content = heads.to_stored()
    assert PlaceRegression.from_stored(arrays, content).angles_deg == (15, 45)
    for angles in ([45, 15], [1], "x"):
        with pytest.raises(ValueError, match="ngles"):
            PlaceRegression.from_stored(arrays, content | {"angles_deg": angles})
    del content["angles_deg"]
    former = PlaceRegression.from_stored(arrays, content)
    assert former.angles_deg == (-45, 45)
    found = [
        one.predict(np.ones((1, 6), np.float32), 1).places.utm_cm
        for one in (heads, former)
    ]
    assert not np.array_equal(*found)


@pytest.mark.parametrize(
    ("encoding", "layer"),
    [
        ("direct_regression", DirectRegressionHead),
        ("unit_regression", UnitRegressionHead),
        ("hypersphere_regression", HypersphereRegressionHead),
    ],
)
def test_a_regression_predicts_as_its_layer(encoding, layer):
    frame = MapFrame.around(POINTS)
    head = layer(frame.extent_m, seed=1)
    head.build((None, 6))
    x = np.random.default_rng(4).normal(size=(7, 6)).astype(np.float32)
    x[0] *= 1e4  # the end of a sigmoid
    arrays = head.arrays()
    heads = PlaceRegression(encoding, arrays["kernel"], arrays["bias"], (), frame)

    found, expected = heads.predict(x, 1), np.asarray(head(x))

    places = frame.positions(expected[:, :2])
    np.testing.assert_allclose(found.places.utm_cm, places.utm_cm, atol=20)
    headings = np.degrees(np.arctan2(expected[:, 2], expected[:, 3]))
    apart = (found.heading_deg.ravel() - headings + 180) % 360 - 180
    np.testing.assert_allclose(apart, 0, atol=1e-2)


@pytest.mark.parametrize("encoding", ["unit_regression", "direct_regression", "x"])
def test_arrays_of_another_encoding_are_refused(encoding):
    other = "direct_regression" if encoding == "unit_regression" else "unit_regression"
    arrays, content = regression(other).to_stored()
    with pytest.raises(ClassificationError, match=r"shape|encoding must be one of"):
        PlaceRegression.from_stored(arrays, content | {"encoding": encoding})


def test_a_regression_gives_the_place_that_its_layer_encodes():
    frame = MapFrame.around(POINTS)
    place = frame.places(POINTS.take(np.array([4])), np.array([90.0]))[0]
    half = frame.extent_m / 2
    bias = np.array([place[0] / half, place[1] / half, 1.0, 0.0], np.float32)
    heads = PlaceRegression(
        "direct_regression", np.zeros((6, 4), np.float32), bias, (), frame
    )

    found = heads.predict(np.zeros((1, 6), np.float32), 3)

    assert found.rows.tolist() == [[0, -1, -1]]
    assert abs(found.places.utm_east_cm[0] - POINTS.utm_east_cm[4]) <= 1
    assert abs(found.places.utm_north_cm[0] - POINTS.utm_north_cm[4]) <= 1
    assert found.heading_deg.tolist() == [90.0]


def test_the_frame_brings_places_of_a_neighbouring_zone_into_its_own():
    border = places([[0, 0], [200, 0], [100, 50]])
    same = border.projected_to(11)
    mixed = border.take(np.array([0, 1, 2]))
    for name in ("utm_east_cm", "utm_north_cm", "utm_zone"):
        getattr(mixed, name)[2] = getattr(same, name)[2]
    np.testing.assert_allclose(
        MapFrame.around(mixed).local_m(mixed),
        MapFrame.around(border).local_m(border),
        atol=0.02,
    )


def test_damage_names_the_file(tmp_path):
    save_heads(random_classifier(grid_table(POINTS)), tmp_path)
    arrays = tmp_path / "classifier.npz"
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(content)
    with pytest.raises(ClassificationError, match=r"classifier\.npz: its checksum"):
        load_heads(tmp_path, CONFIG)
    arrays.unlink()
    with pytest.raises(ClassificationError, match=r"classifier\.npz"):
        load_heads(tmp_path, CONFIG)
    info = json.loads((tmp_path / "classifier.json").read_text())
    (tmp_path / "classifier.json").write_text(json.dumps({**info, "format_version": 9}))
    with pytest.raises(ClassificationError, match=r"format_version 1\. Received: 9"):
        load_heads(tmp_path, CONFIG)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("place/utm_zone", lambda a: a * 0 + 61, "zones are 1 to 60"),
        ("place/latitude_deg", lambda a: a * np.nan, "places lie on the earth"),
        ("place/cell", lambda a: a + 10_000, "cells are known"),
        ("place/members", lambda a: a * 0 - 1, "each place has its classes"),
        ("place/members", lambda a: a.astype(np.float32), r"place/members .* kinds i"),
        ("place/east_cm", lambda a: a[1:], r"place/east_cm .* must have the shape"),
        ("cells/cell_size_m", lambda a: a * 0, "Cells cannot be 0 m wide"),
        ("head0/kernel", lambda a: a * np.inf, "head0/kernel.*|kernel .* infinity"),
        ("head0/kernel", lambda a: a[:, :-1], "fit the heads|one place of the class"),
        ("head1/kernel", lambda a: a[1:], "descriptors of one length"),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(tmp_path, name, change, message):
    save_heads(random_classifier(grid_table(POINTS)), tmp_path)
    with np.load(tmp_path / "classifier.npz") as stored:
        arrays = dict(stored)
    with np.errstate(all="ignore"):
        arrays[name] = change(arrays[name])
    np.savez(tmp_path / "classifier.npz", **arrays)
    info = json.loads((tmp_path / "classifier.json").read_text())
    sha256 = hashlib.sha256((tmp_path / "classifier.npz").read_bytes()).hexdigest()
    (tmp_path / "classifier.json").write_text(json.dumps({**info, "sha256": sha256}))
    with pytest.raises(ClassificationError, match=message):
        load_heads(tmp_path)


def test_a_model_without_heads_says_how_to_get_them(tmp_path):
    with pytest.raises(ClassificationError, match=r"evaluation\.method: class"):
        load_heads(tmp_path, CONFIG)
    with pytest.raises(ClassificationError, match="--model"):
        load_heads(None, CONFIG)


@pytest.mark.parametrize("name", ["classifier.json", "classifier.npz", "classifier"])
def test_links_are_not_followed(tmp_path, name):
    save_heads(regression(), tmp_path / "run" / "best" / "classifier")
    folder = tmp_path / "run" / "best" / "classifier"
    path = folder if name == folder.name else folder / name
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(ClassificationError, match="symbolic link"):
        load_heads(tmp_path / "run")


def test_compressed_heads_are_refused_before_they_are_unpacked(tmp_path):
    save_heads(random_classifier(grid_table(POINTS)), tmp_path)
    with np.load(tmp_path / "classifier.npz") as file:
        arrays = dict(file)
    np.savez_compressed(tmp_path / "classifier.npz", **arrays)
    info = json.loads((tmp_path / "classifier.json").read_text())
    content = (tmp_path / "classifier.npz").read_bytes()
    info["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "classifier.json").write_text(json.dumps(info))
    with pytest.raises(ClassificationError, match="compressed"):
        load_heads(tmp_path)
