"""Photos sent to a service, and what it finds."""

import asyncio

import httpx

from tests.vpr_tf.serving.samples import PHOTOS

JPEG = {"content-type": "image/jpeg"}


def send(client, number, **query):
    return client.post(
        "/v1/localize", content=PHOTOS[number], headers=JPEG, params=query
    )


def best_key(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["localizations"][0]["matches"][0]["key"]


def running(app, work):
    """Runs `work` with a client in the event loop of the service."""

    async def main():
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client,
        ):
            return await asyncio.wait_for(work(client), 60)

    return asyncio.run(main())
