"""The service while much goes on: many requests, clients that go, other indexes."""

import asyncio
import json
import threading
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.vpr_tf.serving.samples import DIM, KEYS, PHOTOS
from tests.vpr_tf.serving.sending import JPEG, best_key, running, send
from vpr_tf.serving import ServiceSettings, create_app


def test_many_requests_at_once_get_their_own_answers(town):
    app = create_app(ServiceSettings({"town": town}))
    numbers = [number % len(PHOTOS) for number in range(40)]

    async def work(client):
        return await asyncio.gather(*(send(client, number) for number in numbers))

    answers = running(app, work)
    assert [best_key(one) for one in answers] == [KEYS[number] for number in numbers]


class SlowEncoder:
    """Stands before an encoder, and answers when it is let to."""

    def __init__(self, app):
        (served,) = app.state.service.localizer._indexes.values()
        (describer,) = served._snapshot.describers
        self.forward, self.go_on, self.num_images = (
            describer.extractor.forward(),
            threading.Event(),
            0,
        )
        describer.extractor.forward = lambda: self.slow

    def slow(self, images):
        self.go_on.wait(20)
        self.num_images += len(images)
        return self.forward(images)


def test_what_finds_no_place_is_refused_at_once(town):
    settings = ServiceSettings({"town": town}, max_queued=3, max_photos=3)
    app = create_app(settings)

    async def work(client):
        encoder = SlowEncoder(app)
        taken = [asyncio.create_task(send(client, number)) for number in range(3)]
        await asyncio.sleep(0.3)
        begin = time.perf_counter()
        refused = await send(client, 3)
        seconds = time.perf_counter() - begin
        healthy = await client.get("/healthz")
        encoder.go_on.set()
        return await asyncio.gather(*taken), refused, seconds, healthy

    taken, refused, seconds, healthy = running(app, work)
    assert [best_key(one) for one in taken] == KEYS[:3]
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["status"] == 503
    assert seconds < 0.2
    assert healthy.status_code == 200


def test_request_of_many_photos_that_are_done_holds_up_nobody(town):
    settings = ServiceSettings({"town": town}, batch_size=1, max_wait_s=0.8)
    app = create_app(settings)
    files = [("photos", (f"{n}.jpg", PHOTOS[n])) for n in range(5)]

    async def work(client):
        encoder = SlowEncoder(app)
        encoder.go_on.wait = lambda most_s: time.sleep(0.3)
        several = asyncio.create_task(client.post("/v1/localize", files=files))
        await asyncio.sleep(1.2)
        assert not several.done()
        return await send(client, 5), await several

    one, several = running(app, work)
    assert best_key(one) == KEYS[5]
    assert best_key(several) == KEYS[0]


async def ask_and_leave(app, leave, sent):
    """Sends a photo by ASGI alone, and goes when `leave` is set."""
    body = [{"type": "http.request", "body": PHOTOS[0], "more_body": False}]

    async def receive():
        if body:
            return body.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def note(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/localize",
        "raw_path": b"/v1/localize",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"image/jpeg")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, note)


def test_photo_of_a_client_that_has_gone_is_not_described(town):
    app = create_app(ServiceSettings({"town": town}, batch_size=1))

    async def work(client):
        encoder, leave, sent = SlowEncoder(app), asyncio.Event(), []
        first = asyncio.create_task(send(client, 1))
        await asyncio.sleep(0.3)  # is being described
        gone = asyncio.create_task(ask_and_leave(app, leave, sent))
        await asyncio.sleep(0.3)  # waits
        leave.set()
        await asyncio.wait_for(gone, 5)
        num_waiting = app.state.service.localizer.admission.num_photos
        encoder.go_on.set()
        answer = await first
        assert app.state.service.localizer.held.num_bytes == 0
        return answer, num_waiting, encoder.num_images

    answer, num_waiting, num_images = running(app, work)
    assert best_key(answer) == KEYS[1]
    assert num_waiting == num_images == 1


def test_photo_that_does_not_arrive_ends_its_request(town):
    app = create_app(ServiceSettings({"town": town}, max_upload_s=0.2))

    async def drip():
        yield PHOTOS[0][:100]
        await asyncio.sleep(1)
        yield PHOTOS[0][100:]

    async def work(client):
        answer = await client.post("/v1/localize", content=drip(), headers=JPEG)
        assert app.state.service.localizer.held.num_bytes == 0
        return answer

    assert running(app, work).status_code == 408


def test_bytes_of_all_requests_are_bounded(town):
    settings = ServiceSettings({"town": town}, max_held_bytes=len(PHOTOS[0]) + 100)
    app = create_app(settings)

    async def slowly(go_on):
        yield PHOTOS[0]
        await go_on.wait()

    async def work(client):
        go_on = asyncio.Event()
        first = asyncio.create_task(
            client.post("/v1/localize", content=slowly(go_on), headers=JPEG)
        )
        await asyncio.sleep(0.1)
        refused = await send(client, 1)
        go_on.set()
        return await first, refused, await send(client, 1)

    first, refused, later = running(app, work)
    assert (best_key(first), best_key(later)) == (KEYS[0], KEYS[1])
    assert refused.status_code == 503


def test_large_body_is_refused_before_it_is_read(town):
    app = create_app(ServiceSettings({"town": town}, max_photo_bytes=10_000))
    num_read = 0

    async def endless():
        nonlocal num_read
        while True:
            num_read += 1
            yield bytes(1000)

    async def work(client):
        unsaid = await client.post("/v1/localize", content=endless(), headers=JPEG)
        headers = JPEG | {"content-length": "1000000000000"}
        said = await client.post("/v1/localize", content=b"x", headers=headers)
        return unsaid, said

    for answer in running(app, work):
        assert answer.status_code == 413
        assert answer.headers["connection"] == "close"
    assert num_read < 20


def test_nothing_of_a_query_is_logged_or_written(town, caplog, capfd, monkeypatch):
    monkeypatch.setattr("tempfile._mkstemp_inner", None)  # no temporary file is made
    caplog.set_level(0)
    secret = "where-i-live.jpg"
    files = [("photos", (secret, one)) for one in (PHOTOS[0], PHOTOS[1][:-20], b"")]
    with TestClient(create_app(ServiceSettings({"town": town}))) as client:
        answer = client.post("/v1/localize", files=files)
        assert [one["photo"] for one in answer.json()["unreadable"]] == [secret] * 2
        client.post("/v1/localize", files=files[1:])
    ours = [one.getMessage() for one in caplog.records if "httpx" not in one.name]
    assert secret not in "".join(ours) + "".join(capfd.readouterr())


def test_encoder_that_fails_is_a_503(town):
    app = create_app(ServiceSettings({"town": town}))
    with TestClient(app) as client:
        encoder = SlowEncoder(app)
        encoder.go_on.set()

        encoder.forward = lambda images: np.full((len(images), DIM), np.nan)
        answer = send(client, 0)
        assert answer.status_code == 422
        assert "no finite descriptor" in answer.json()["detail"]
        json.dumps(answer.json(), allow_nan=False)

        def fail(images):
            raise OSError("the server of the encoder is gone")

        encoder.forward = fail
        answer = send(client, 0)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "gone" not in answer.text


def test_request_of_more_photos_than_may_wait_is_no_setting(tmp_path):
    with pytest.raises(ValueError, match="--max-queued must be at least --max-photos"):
        ServiceSettings({"town": tmp_path}, max_queued=3, max_photos=4)
