"""Processes that decode photos, so that none can harm or hold up the service."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import pebble

from vpr_tf.serving.decoding_work import (
    DecodedPhoto,
    DecodingTask,
    RefusedPhoto,
    decode_photo,
    start_decoder,
)
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.settings import ServiceSettings
from vpr_tf.serving.turns import FairPlaces

_LOG = logging.getLogger("vpr_tf")
_WORK_MODULE = decode_photo.__module__
_AHEAD = 1  # photo, so that no process waits for the next
_SPARE_S = 10.0  # to start a process
_TRIES = 2
# Of images that wait for an encoder: more are not decoded meanwhile.
_MOST_IMAGE_BYTES = 1 << 29

_Running: TypeAlias = "asyncio.Task[DecodedPhoto | RefusedPhoto]"


class Decoders:
    """Decodes photos in other processes, a few at a time.

    A photo that takes too long is refused, and one on which its process dies is tried
    once more: the processes are replaced and the other photos go on.

    Args:
        settings: Number of processes, and limits of a photo.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._places = FairPlaces(settings.num_decoders + _AHEAD)
        self._image_bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._running: set[_Running] = set()
        self._pool: pebble.ProcessPool | None = None
        self._replaced = asyncio.Event()
        self._lifeline: Connection | None = None

    async def start(self) -> None:
        """Starts the processes, and waits for the first."""
        pool = self._started_pool()
        future = pool.schedule(decode_photo, args=(b"", DecodingTask((), 1, 1)))
        await asyncio.wrap_future(future)

    @asynccontextmanager
    async def decoded(
        self, content: bytes | str, task: DecodingTask, owner: Hashable = None
    ) -> AsyncIterator[DecodedPhoto | RefusedPhoto]:
        """Decodes a photo, when its turn comes; let go of its images at the end.

        Args:
            content: The file, or base64 of it.
            task: What is wanted of it.
            owner: Whose it is: owners take turns.

        Raises:
            ProblemError: Two processes died of it, or did not answer.
        """
        running = await self._begin_in_turn(content, task, owner)
        try:
            yield await asyncio.shield(running)
        finally:
            running.add_done_callback(self._let_go)

    async def _begin_in_turn(
        self, content: bytes | str, task: DecodingTask, owner: Hashable
    ) -> _Running:
        """Begins when there are a process and room for the images.

        It is not stopped when nobody waits for it any more: to end its process and
        start another takes longer.
        """
        await self._places.acquire(owner)
        try:
            while self._image_bytes >= _MOST_IMAGE_BYTES:
                await self._has_room.wait()
        except BaseException:
            self._places.release()
            raise
        running = asyncio.create_task(self._decode(content, task))
        self._running.add(running)
        running.add_done_callback(self._finished)
        return running

    def _finished(self, running: _Running) -> None:
        self._running.discard(running)
        self._count_bytes(_image_bytes(running))
        self._places.release()

    def _let_go(self, running: _Running) -> None:
        self._count_bytes(-_image_bytes(running))

    def _count_bytes(self, num_bytes: int) -> None:
        self._image_bytes += num_bytes
        if self._image_bytes < _MOST_IMAGE_BYTES:
            self._has_room.set()
        else:
            self._has_room.clear()

    async def close(self) -> None:
        """Ends the processes."""
        for running in self._running:
            running.cancel()
        await asyncio.to_thread(self._end_pool)

    async def _decode(
        self, content: bytes | str, task: DecodingTask
    ) -> DecodedPhoto | RefusedPhoto:
        limit_s = self._settings.max_decode_s
        for _ in range(_TRIES):
            pool = self._started_pool()
            try:
                future = pool.schedule(
                    decode_photo, args=(content, task), timeout=limit_s
                )
                wrapped = asyncio.wrap_future(future)
                replaced = asyncio.create_task(self._replaced.wait())
                either: set[asyncio.Future[Any]] = {wrapped, replaced}
                try:
                    # By then photos before it were done, or stopped.
                    await asyncio.wait(
                        either,
                        timeout=(_AHEAD + 1) * limit_s + _SPARE_S,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    replaced.cancel()
                if wrapped.done() and not wrapped.cancelled():
                    return wrapped.result()
            except TimeoutError:
                return RefusedPhoto(f"image takes longer than {limit_s:g} s to decode")
            except (pebble.ProcessExpired, RuntimeError):
                # Of the photo, or killed from outside. Processes of a pool share a
                # pipe: half an image may lie in it, and hold up all that follows.
                pass
            await self._replace(pool)
        raise ProblemError(
            503,
            "The processes that decode photos died or did not answer, twice. Send this "
            "request again later; if that changes nothing, send its photos one by one.",
            {"Retry-After": "5"},
        )

    async def _replace(self, pool: pebble.ProcessPool) -> None:
        """Ends processes that no longer answer; the next photo starts others."""
        if pool is self._pool:
            _LOG.warning("The processes that decode photos are started again.")
            ended, self._pool = self._pool, None
            self._replaced.set()  # its photos would wait for ever
            ended.stop()
            await asyncio.to_thread(ended.join)

    def _started_pool(self) -> pebble.ProcessPool:
        if self._pool is not None:
            return self._pool
        # Forked from a process of one thread that has loaded what decodes, and no more.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_WORK_MODULE])
        if self._lifeline is not None:
            self._lifeline.close()
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self._replaced = asyncio.Event()
        self._pool = pebble.ProcessPool(
            self._settings.num_decoders,
            initializer=start_decoder,
            initargs=(lifeline, self._settings.max_pixels),
            context=context,
        )
        return self._pool

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None
        if self._lifeline is not None:
            self._lifeline.close()


def _image_bytes(running: _Running) -> int:
    """Returns the bytes of the images that were decoded; 0 if none were."""
    if running.cancelled() or running.exception():
        return 0
    found = running.result()
    if isinstance(found, RefusedPhoto):
        return 0
    return found.num_bytes
