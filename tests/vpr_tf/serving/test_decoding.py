"""Photos are decoded in other processes, which may hang or die."""

import asyncio
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import psutil
import pytest

from tests.vpr_tf.serving.samples import PHOTOS, die_while_sending_once, photo
from vpr_tf.config import Preprocessing
from vpr_tf.data.pillow_decoding import decode_image, resize_for_evaluation
from vpr_tf.serving import ServiceSettings, decoding
from vpr_tf.serving.decoding import Decoders
from vpr_tf.serving.decoding_work import DecodingTask, decode_photo
from vpr_tf.serving.problems import ProblemError

SMALL = Preprocessing("square", 32)
TASK = DecodingTask((SMALL, Preprocessing("shorter_side", 48)), 100_000_000, 4_000_000)


def decoders(tmp_path, **settings):
    return Decoders(ServiceSettings({"city": tmp_path}, **settings))


async def decode(running, content):
    async with running.decoded(content, TASK) as found:
        return found


def run(running, work):
    """Runs `work` while decoders are there."""

    async def main():
        await running.start()
        try:
            return await asyncio.wait_for(work(), 60)
        finally:
            await running.close()

    return asyncio.run(main())


def workers():
    """Processes that decode: children of the process that forks them."""
    children = psutil.Process().children(recursive=True)
    return [one for one in children if one.parent().pid != os.getpid()]


def test_images_are_those_of_the_evaluation(tmp_path):
    running = decoders(tmp_path)

    async def work():
        return await decode(running, PHOTOS[0])

    found = run(running, work)
    assert (found.height, found.width) == (60, 80)
    for image, preprocessing in zip(found.images, TASK.wanted, strict=True):
        expected = resize_for_evaluation(decode_image(PHOTOS[0]), preprocessing)
        np.testing.assert_array_equal(image, expected)


def test_slow_photo_is_refused_and_others_go_on(tmp_path):
    running = decoders(tmp_path, max_decode_s=0.3)
    slow = photo(0, 7000, 7000, quality=5)

    async def work():
        return await asyncio.gather(
            *(decode(running, one) for one in (PHOTOS[0], slow, PHOTOS[1]))
        )

    first, refused, last = run(running, work)
    assert first.images[0].shape == last.images[0].shape == (32, 32, 3)
    assert "longer than 0.3 s" in refused.reason


@pytest.mark.parametrize("is_busy", [True, False])
def test_photo_of_a_killed_process_is_decoded_by_another(is_busy, tmp_path):
    running = decoders(tmp_path)
    slow = photo(0, 7000, 7000, quality=5)

    async def work():
        busy = [asyncio.create_task(decode(running, slow))] if is_busy else []
        await asyncio.sleep(0.2)
        await kill_worker()
        return await asyncio.gather(*busy, decode(running, PHOTOS[1]))

    for found in run(running, work):
        assert found.images[0].shape == (32, 32, 3)


def test_photo_of_which_two_processes_die_is_a_503(tmp_path):
    running = decoders(tmp_path)
    slow = photo(0, 9900, 9900, quality=5)

    async def work():
        busy = asyncio.create_task(decode(running, slow))
        for _ in range(2):
            await kill_worker(busy_s=0.2)
        with pytest.raises(ProblemError, match="one by one") as refused:
            await busy
        assert refused.value.status == 503
        return await decode(running, PHOTOS[1])

    assert run(running, work).images[0].shape == (32, 32, 3)


def test_process_that_dies_while_it_sends_holds_nobody_up(tmp_path, monkeypatch):
    running = decoders(tmp_path)

    async def work():
        monkeypatch.setattr(decoding, "decode_photo", die_while_sending_once)
        return await decode(running, str(tmp_path / "died"))

    start = time.monotonic()
    assert run(running, work).images[0].shape == (32, 32, 3)
    assert (tmp_path / "died").exists()
    assert time.monotonic() - start < 20  # without a pool that waits for the rest


async def kill_worker(busy_s=0.0):
    """Kills the process that decodes once it has used so much of a core."""
    while not (found := workers()) or sum(found[0].cpu_times()[:2]) < busy_s:
        await asyncio.sleep(0.01)
    found[0].send_signal(signal.SIGKILL)
    found[0].wait(10)


def test_decoders_that_do_not_answer_are_replaced(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(decoding, "_SPARE_S", 0.0)
    running = decoders(tmp_path, max_decode_s=0.3)

    async def work():
        (worker,) = workers()
        worker.suspend()
        return await decode(running, PHOTOS[1])

    assert run(running, work).images[0].shape == (32, 32, 3)
    assert "started again" in caplog.text


def test_no_more_is_decoded_than_encoders_take(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_MOST_IMAGE_BYTES", 1)
    running = decoders(tmp_path)

    async def work():
        async with running.decoded(PHOTOS[0], TASK) as first:
            waiting = asyncio.create_task(decode(running, PHOTOS[1]))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        return first, await waiting

    for found in run(running, work):
        assert found.images[0].shape == (32, 32, 3)


_SERVICE = """
import asyncio, os, sys
from pathlib import Path
from vpr_tf.serving import ServiceSettings
from vpr_tf.serving.decoding import Decoders
async def main():
    await Decoders(ServiceSettings({"city": Path(".")})).start()
    print(flush=True)
    await asyncio.sleep(60)
if __name__ == "__main__":
    asyncio.run(main())
"""


def test_processes_end_with_a_service_that_is_killed(tmp_path):
    (tmp_path / "service.py").write_text(_SERVICE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "service.py"],
        stdout=subprocess.PIPE,
        env=environment,
    ) as service:
        service.stdout.readline()
        processes = psutil.Process(service.pid).children(recursive=True)
        assert len(processes) >= 2
        service.kill()
    assert not psutil.wait_procs(processes, timeout=10)[1]


def png(width, height, data, *chunks):
    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def of_many_scans():
    """A progressive JPEG, its first scan repeated."""
    content = photo(0, progressive=True)
    first = content.index(b"\xff\xda")
    second = content.index(b"\xff\xda", first + 2)
    scan = content[first:second]
    return content[:first] + scan * 600 + content[second:]


BOMB = zlib.compress(bytes(60_000_000))
HOSTILE = {
    "many scans": (of_many_scans(), "more than 500 scans"),
    "fill bytes before a photo": (
        PHOTOS[0][:2] + b"\xff" * 3_000_000 + PHOTOS[0][2:],
        "more than 2,000,000 fill bytes",
    ),
    "pixels of a PNG": (png(10_001, 10_000, BOMB), "megapixels"),
    "more data than pixels": (png(2, 2, BOMB), None),
    "less data than pixels": (png(100, 100, zlib.compress(b"")), "does not decode"),
    "text of a PNG": (
        png(2, 2, zlib.compress(bytes(14)), (b"zTXt", b"a\0\0" + BOMB)),
        "does not decode",
    ),
    "profile of a PNG": (
        png(2, 2, zlib.compress(bytes(14)), (b"iCCP", b"a\0\0" + BOMB)),
        "does not decode",
    ),
    "no height": (png(100, 0, b""), "impossible size"),
    "no colours": (
        photo(0).replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "12 bits",
    ),
    "cut": (PHOTOS[0][:-500], "truncated"),
    "cut PNG": (photo(0, image_format="PNG")[:-12], "truncated"),
    "segments": (
        b"\xff\xd8" + b"\xff\xfe\0\2" * 3_000_000 + PHOTOS[0][2:],
        "over 10000 segments",
    ),
    "fill bytes": (b"\xff\xd8" + b"\xff" * 12_000_000, "truncated|damaged"),
    "nothing": (b"", "empty"),
    "PDF": (b"%PDF-1.7", "looks like PDF"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_photo_is_bounded(case):
    content, reason = HOSTILE[case]
    found = decode_photo(content, TASK)
    if reason is None:  # what matters of it is a small image
        assert found.images[0].shape == (32, 32, 3)
    else:
        assert re.search(reason, found.reason)


def test_decoding_does_not_load_tensorflow():
    code = (
        "import sys, vpr_tf.serving.decoding_work\n"
        "assert not {'tensorflow', 'keras', 'scipy', 'fastapi'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_no_more_is_decoded_than_there_is_room_for(tmp_path, monkeypatch):
    running, num_bytes = decoders(tmp_path), []
    monkeypatch.setattr(decoding, "_MOST_IMAGE_BYTES", 1)
    places = running._settings.num_decoders + decoding._AHEAD

    async def hold(let_go):
        async with running.decoded(PHOTOS[0], TASK) as found:
            num_bytes.append(sum(image.nbytes for image in found.images))
            await let_go.wait()

    async def work():
        let_go = asyncio.Event()
        held = [asyncio.create_task(hold(let_go)) for _ in range(6)]
        while not num_bytes:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        most = running._image_bytes
        let_go.set()
        await asyncio.gather(*held)
        await asyncio.sleep(0)
        return most

    most = run(running, work)
    assert most <= places * num_bytes[0]
    assert len(num_bytes) == 6
    assert running._image_bytes == 0


@pytest.mark.parametrize(
    ("preprocessing", "size", "reason"),
    [
        (Preprocessing("shorter_side", 224), (20, 4000), "44800 x 224 .* crop"),
        (Preprocessing("native", 224), (2000, 2001), "2001 x 2000 .* make it smaller"),
    ],
)
def test_photo_too_large_for_the_encoder_is_refused(preprocessing, size, reason):
    content = photo(0, *size, image_format="PNG")
    task = DecodingTask((preprocessing,), 100_000_000, 4_000_000)
    assert re.search(reason, decode_photo(content, task).reason)
    at_most = DecodingTask((preprocessing,), 100_000_000, 100_000_000)
    assert decode_photo(content, at_most).images
