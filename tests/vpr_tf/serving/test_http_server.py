"""Requests must arrive in time; those that did are answered at the end."""

import asyncio
import contextlib
import json
import logging

import pytest

from vpr_tf.serving import ProcessSettings, bind_socket
from vpr_tf.serving.http_server import HttpServer
from vpr_tf.serving.request_log import RequestLog

HEAD = b"POST /echo?secret=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"


async def echo(scope, receive, send):
    """Answers with the body."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        parts.append(message["body"])
        more = message["more_body"]
    answer = b"".join(parts)
    headers = [(b"content-length", str(len(answer)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": answer})


@contextlib.asynccontextmanager
async def serving(app=echo, upload_s=5.0):
    """Yields the server and a function that connects to it."""
    bound = bind_socket("127.0.0.1", 0, has_keys=False)
    port = bound.getsockname()[1]
    server = HttpServer(app, ProcessSettings(drain_s=5.0), upload_s)
    task = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield server, lambda: asyncio.open_connection("127.0.0.1", port)
    server.should_exit = True
    await asyncio.wait_for(task, 5)


async def all_of(reader):
    return await asyncio.wait_for(reader.read(), 15)


@pytest.mark.parametrize(
    "begin", [b"", b"POST /ec", HEAD, HEAD + b"1234"], ids=["none", "head", "0", "4"]
)
def test_request_that_does_not_arrive_is_cut_off(begin):
    async def run():
        async with serving(upload_s=0.2) as (_, connect):
            reader, writer = await connect()
            writer.write(begin)
            assert await all_of(reader) == b""
            writer.close()

    asyncio.run(run())


def test_client_that_never_reads_its_answer_is_cut_off():
    large = b"x" * 20_000_000

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": large})

    async def run():
        async with serving(app, upload_s=3.0) as (server, connect):
            (reader, writer), (reading, other) = await connect(), await connect()
            request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            other.write(request)
            assert len(await all_of(reading)) > len(large)
            writer.write(request)
            async with asyncio.timeout(15):
                while server.server_state.connections:
                    await asyncio.sleep(0.02)
            assert len(await all_of(reader)) < len(large)
            writer.close()
            other.close()

    asyncio.run(run())


def test_what_is_no_request_is_refused_by_a_problem_document():
    async def run():
        async with serving() as (_, connect):
            reader, writer = await connect()
            writer.write(b"no request\r\n\r\n")
            head, _, body = (await all_of(reader)).partition(b"\r\n\r\n")
            writer.close()
            return head.decode(), json.loads(body)

    head, problem = asyncio.run(run())
    assert head.startswith("HTTP/1.1 400")
    assert "application/problem+json" in head
    assert f"X-Request-ID: {problem['request_id']}" in head


def test_damage_after_the_answer_began_ends_the_connection(caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"xyz", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def run():
        failures = []
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: failures.append(context)
        )
        async with serving(app) as (_, connect):
            reader, writer = await connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
            begun = await reader.readuntil(b"xyz")
            writer.write(b"no length\r\n")
            rest = await all_of(reader)
            writer.close()
        return begun, rest, failures

    begun, rest, failures = asyncio.run(run())
    assert begun.startswith(b"HTTP/1.1 200")
    assert b"400" not in rest
    assert not failures


def test_slow_request_that_arrives_in_time_is_answered():
    async def run():
        async with serving(upload_s=2.0) as (_, connect):
            reader, writer = await connect()
            for part in (HEAD[:9], HEAD[9:], b"1234", b"5678"):
                writer.write(part)
                await asyncio.sleep(0.05)
            assert (await reader.readuntil(b"5678")).startswith(b"HTTP/1.1 200 OK")
            writer.close()

    asyncio.run(run())


def test_end_answers_what_was_accepted_and_refuses_the_rest():
    async def run():
        async with serving() as (server, connect):
            half, half_writer = await connect()
            half_writer.write(HEAD + b"1234")
            fresh, fresh_writer = await connect()
            await asyncio.sleep(0.05)
            server.should_exit = True
            await asyncio.sleep(0.2)  # it looks every 0.1 s
            with pytest.raises(ConnectionRefusedError):
                await connect()
            half_writer.write(b"5678")
            fresh_writer.write(HEAD + b"abcdefgh")
            assert (await all_of(half)).endswith(b"12345678")
            assert (await all_of(fresh)).endswith(b"abcdefgh")
            half_writer.close()
            fresh_writer.close()

    asyncio.run(run())


def test_log_has_nothing_of_what_was_sent(caplog):
    async def run():
        async with serving(RequestLog(echo)) as (_, connect):
            reader, writer = await connect()
            writer.write(
                HEAD.replace(b"Host", b"Connection: close\r\nHost") + b"my photo"
            )
            assert b"my photo" in await all_of(reader)
            writer.close()

    with caplog.at_level(logging.INFO, "vpr_tf.serving"):
        asyncio.run(run())

    assert "POST (no route) 200" in caplog.text
    for secret in ("secret", "photo", "127.0.0.1"):
        assert secret not in caplog.text
