"""Indexes that change, fail or share an encoder while the service runs."""

import asyncio
import shutil
import threading
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.vpr_tf.serving.samples import DIM, KEYS, make_index, tiny_encoder
from tests.vpr_tf.serving.sending import JPEG, best_key, running, send
from vpr_tf.localization import LocalizationError
from vpr_tf.place_index import PlaceIndex
from vpr_tf.search import RetrievalError
from vpr_tf.serving import (
    ServiceSettings,
    create_app,
    localizing,
    searching,
    served_index,
)
from vpr_tf.serving.problems import ProblemError


def test_change_of_the_index_is_followed(tmp_path, extractor, monkeypatch):
    monkeypatch.setattr(served_index, "_WAIT_FOR_CHANGE_S", 60)
    folder = make_index(tmp_path / "town", extractor)
    with TestClient(create_app(ServiceSettings({"town": folder}))) as client:
        assert best_key(send(client, 2)) == KEYS[2]
        with PlaceIndex.open(folder) as index:
            index.remove([KEYS[2]])
        answer = send(client, 2)
        assert best_key(answer) != KEYS[2]
        assert answer.json()["index_generation"] == 2

        # Another index in its place, of another encoder.
        make_index(tmp_path / "next", tiny_encoder(tmp_path / "other", seed=5))
        shutil.move(folder, tmp_path / "former")
        shutil.move(tmp_path / "next", folder)
        answer = send(client, 2)
        assert best_key(answer) == KEYS[2]
        assert answer.json()["model"] == "tiny encoder 5"

        shutil.move(folder, tmp_path / "gone")
        answer = send(client, 2)
        assert answer.status_code == 503
        shutil.move(tmp_path / "gone", folder)
        assert best_key(send(client, 2)) == KEYS[2]


def test_encoder_ends_with_the_last_request_that_uses_it(tmp_path, extractor):
    folder = make_index(tmp_path / "town", extractor)
    make_index(tmp_path / "next", tiny_encoder(tmp_path / "other", seed=5))
    app = create_app(ServiceSettings({"town": folder}))
    image = np.full((32, 32, 3), 0.5, np.float32)

    async def work(client):
        localizer = app.state.service.localizer
        snapshot = await localizer._indexes["town"].snapshot()
        shutil.move(folder, tmp_path / "former")
        shutil.move(tmp_path / "next", folder)
        await localizer.follow("town")
        assert best_key(await send(client, 2)) == KEYS[2]
        describer = snapshot.describers[0]
        found = await describer.describe(image)
        assert len(localizer._encoders._describers) == 2
        del snapshot
        await asyncio.sleep(0.05)
        assert len(localizer._encoders._describers) == 1
        with pytest.raises(ProblemError):
            await describer.describe(image)
        return found

    assert running(app, work).shape == (DIM,)


@pytest.mark.parametrize("error", [RetrievalError, LocalizationError, OSError])
def test_search_that_fails_is_a_503(town, monkeypatch, error):
    def fail(*arguments, **options):
        raise error("/home/me/town is gone")

    with TestClient(create_app(ServiceSettings({"town": town}))) as client:
        with monkeypatch.context() as patch:
            patch.setattr(searching, "localize_descriptors", fail)
            answers = [send(client, 2)]
            patch.setattr(localizing.LocalizationSettings, "from_manifest", fail)
            answers.append(client.post("/v1/localize", content=b"x", headers=JPEG))
        for answer in answers:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert "gone" not in answer.text
        assert best_key(send(client, 2)) == KEYS[2]


def test_large_change_is_opened_while_others_are_answered(
    tmp_path, extractor, monkeypatch
):
    folder = make_index(tmp_path / "town", extractor)
    monkeypatch.setattr(served_index, "_WAIT_FOR_CHANGE_S", 0.05)
    with TestClient(create_app(ServiceSettings({"town": folder}))) as client:
        go_on, open_now = threading.Event(), served_index.OpenedIndex.open

        def slowly(*arguments):
            go_on.wait(20)
            return open_now(*arguments)

        monkeypatch.setattr(served_index.OpenedIndex, "open", slowly)
        with PlaceIndex.open(folder) as index:
            index.remove([KEYS[2]])
        assert send(client, 2).json()["index_generation"] == 1
        assert client.get("/v1/indexes/town").json()["generation"] == 1
        go_on.set()
        until = time.monotonic() + 10
        while send(client, 2).json()["index_generation"] == 1:
            assert time.monotonic() < until


@pytest.mark.parametrize(("retry_s", "num_opened"), [(60.0, 1), (0.0, 3)])
def test_change_that_cannot_be_opened_is_tried_again_later(
    retry_s, num_opened, tmp_path, extractor, monkeypatch
):
    monkeypatch.setattr(served_index, "_WAIT_FOR_CHANGE_S", 60)
    monkeypatch.setattr(served_index, "_RETRY_S", retry_s)
    folder, opened = make_index(tmp_path / "town", extractor), []

    def fail(*arguments):
        opened.append(arguments)
        raise ValueError("/home/me/town holds a damaged encoder")

    with TestClient(create_app(ServiceSettings({"town": folder}))) as client:
        with monkeypatch.context() as patch, PlaceIndex.open(folder) as index:
            patch.setattr(served_index.OpenedIndex, "open", fail)
            index.remove([KEYS[2]])
            for answer in [send(client, 2) for _ in range(3)]:
                assert answer.status_code == 503
                assert "damaged" not in answer.text
            assert len(opened) == num_opened
        if retry_s:  # a newer state is tried at once
            with PlaceIndex.open(folder) as index:
                index.remove([KEYS[3]])
        assert best_key(send(client, 4)) == KEYS[4]


def test_indexes_of_one_encoder_share_a_queue(tmp_path, town, extractor):
    other = make_index(tmp_path / "other", tiny_encoder(tmp_path / "encoder", seed=5))
    same = make_index(tmp_path / "same", extractor)
    settings = ServiceSettings({"town": town, "other": other, "same": same})
    with TestClient(create_app(settings)) as client:
        for name in ("town", "other", "same"):
            answer = send(client, 4, index=name)
            assert best_key(answer) == KEYS[4]
            assert answer.json()["index"] == name
        assert len(client.app.state.service.localizer._encoders._describers) == 2
