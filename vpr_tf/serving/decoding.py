"""Processes that decode photos, so that none can harm or hold up the service."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

import pebble

from vpr_tf.serving.decoding_work import (
    DecodedPhoto,
    DecodingTask,
    RefusedPhoto,
    decode_photo,
    start_decoder,
)
from vpr_tf.serving.settings import ServiceSettings

_LOG = logging.getLogger("vpr_tf")
_WORK_MODULE = decode_photo.__module__
_AHEAD = 1  # photo, so that no process waits for the next
_SPARE_S = 10.0  # to start a process


class Decoders:
    """Decodes photos in other processes, a few at a time.

    A photo that takes too long, or on which its process dies, is refused: the process
    is replaced and the other photos go on.

    Args:
        settings: Number of processes, and limits of a photo.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(settings.num_decoders + _AHEAD)
        self._running: set[asyncio.Task[DecodedPhoto | RefusedPhoto]] = set()
        self._pool: pebble.ProcessPool | None = None
        self._lifeline: Connection | None = None

    async def start(self) -> None:
        """Starts the processes, and waits for the first."""
        pool = self._started_pool()
        future = pool.schedule(decode_photo, args=(b"", DecodingTask((), 1)))
        await asyncio.wrap_future(future)

    async def decode(
        self, content: bytes, task: DecodingTask
    ) -> DecodedPhoto | RefusedPhoto:
        """Decodes a photo, when its turn comes.

        Args:
            content: The file.
            task: What is wanted of it.
        """
        await self._places.acquire()
        # It is not stopped when nobody waits for it any more: to end its process and
        # start another takes longer.
        running = asyncio.create_task(self._decode(content, task))
        self._running.add(running)
        running.add_done_callback(self._finished)
        return await asyncio.shield(running)

    async def close(self) -> None:
        """Ends the processes."""
        for running in self._running:
            running.cancel()
        await asyncio.to_thread(self._end_pool)

    def _finished(self, running: asyncio.Task[DecodedPhoto | RefusedPhoto]) -> None:
        self._running.discard(running)
        self._places.release()

    async def _decode(
        self, content: bytes, task: DecodingTask
    ) -> DecodedPhoto | RefusedPhoto:
        limit_s = self._settings.max_decode_s
        pool, future = await self._scheduled(content, task)
        wrapped = asyncio.wrap_future(future)
        # By then photos before it were done, or stopped.
        await asyncio.wait({wrapped}, timeout=(_AHEAD + 1) * limit_s + _SPARE_S)
        try:
            if wrapped.done():
                return wrapped.result()
            raise BrokenProcessPool("It does not answer.")
        except TimeoutError:
            return RefusedPhoto(f"image takes longer than {limit_s:g} s to decode")
        except pebble.ProcessExpired:
            return RefusedPhoto("image cannot be decoded: its decoder died of it")
        except BrokenProcessPool:
            await self._replace(pool)
            return RefusedPhoto("image was not decoded: its decoder died")
        except Exception as error:  # whatever a damaged image comes to
            _LOG.warning("A photo could not be decoded: %s", type(error).__name__)
            return RefusedPhoto("image does not decode")

    async def _scheduled(
        self, content: bytes, task: DecodingTask
    ) -> tuple[pebble.ProcessPool, Future[DecodedPhoto | RefusedPhoto]]:
        limit_s = self._settings.max_decode_s
        for is_last in (False, True):
            pool = self._started_pool()
            try:
                return pool, pool.schedule(
                    decode_photo, args=(content, task), timeout=limit_s
                )
            except RuntimeError:  # its processes died while they waited
                if is_last:
                    raise
                await self._replace(pool)
        raise AssertionError

    async def _replace(self, pool: pebble.ProcessPool) -> None:
        """Ends processes that no longer answer; the next photo starts others."""
        if pool is self._pool:
            _LOG.warning("The processes that decode photos are started again.")
            ended, self._pool = self._pool, None
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
