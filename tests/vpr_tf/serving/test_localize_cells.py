"""An index that keeps a classifier: only its best cells are searched."""

from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.vpr_tf.serving.samples import KEYS, PHOTOS, make_index, tiny_encoder
from vpr_tf.classification import (
    ClassTable,
    GridCells,
    GroupHead,
    PlaceClassifier,
    save_heads,
)
from vpr_tf.place_index import KeptClassifier, PlaceIndex
from vpr_tf.place_index.index_encoder import identity_of, keep_encoder
from vpr_tf.serving import ServiceSettings, create_app


def classifier_of(positions, descriptors):
    """A cell and a class for each photo."""
    rows = np.arange(len(positions))
    cells = GridCells(
        20,
        positions.utm_zone.astype(np.int64),
        positions.utm_east_cm // 2000,
        positions.utm_north_cm // 2000,
    )
    members, unknown = rows[:, None].astype(np.int32), np.full(len(rows), -1.0)
    table = ClassTable(positions.take(rows), unknown, members, rows, cells, "own_group")
    return PlaceClassifier(table, (GroupHead("cosine", descriptors.T.copy()),))


@pytest.mark.parametrize("has_own_encoder", [False, True])
def test_cells_are_those_of_the_index(has_own_encoder, town, extractor, tmp_path):
    heads, identity, of_cells = tmp_path / "heads", None, extractor
    if has_own_encoder:
        of_cells = tiny_encoder(tmp_path / "encoder", seed=7, resize="shorter_side")
    with PlaceIndex.open(town) as index:
        positions = index.photos.positions
    save_heads(classifier_of(positions, of_cells.extract(PHOTOS)), heads)
    if has_own_encoder:
        file = keep_encoder(of_cells.encoder, heads / "encoder")
        identity = replace(
            identity_of(of_cells), file=file.relative_to(heads).as_posix()
        )
    folder = make_index(
        tmp_path / "town",
        extractor,
        classifier=KeptClassifier("heads of a test", "cosine", 2, identity, {}),
        classifier_source=heads,
    )
    with PlaceIndex.open(folder) as index:
        expected = index.localize(PHOTOS)

    files = [("photos", (key, one)) for key, one in zip(KEYS, PHOTOS, strict=True)]
    with TestClient(create_app(ServiceSettings({"town": folder}))) as client:
        found = client.post("/v1/localize", files=files).json()["localizations"]

    for answer, one in zip(found, expected, strict=True):
        matches = [match["key"] for match in answer["matches"]]
        assert matches == [match.key for match in one.matches]
        assert answer["num_candidates"] == one.num_candidates == 2
