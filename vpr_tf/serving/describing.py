"""The queue before an encoder: photos of many requests are described together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vpr_tf.data.image_sizes import evaluation_size
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.extraction.errors import DescriptorError, ImageSizeError
from vpr_tf.serving import metrics
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.settings import ServiceSettings

_LOG = logging.getLogger("vpr_tf")
_WARM_UP_SIZE = (480, 640)
# An encoder needs many times as much.
_MOST_BATCH_BYTES = 1 << 27
_PROBE_EVERY_S = 2.0  # while it fails
_RETRY_LATER = {"Retry-After": "5"}
_NOT_FINITE = "the encoder gives no finite descriptor of it"


class UndescribedPhotoError(Exception):
    """A photo that the encoder refuses; the message is the reason."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    image: np.ndarray
    descriptor: asyncio.Future[np.ndarray]


class Describer:
    """Describes images by an encoder, in one thread, in batches of equal shape.

    Args:
        extractor: The encoder.
        settings: Size of a batch, how long it waits for more photos, and how long it
            may take.

    Attributes:
        extractor: See above.
        is_failing: Whether the encoder, or the server that it is on, failed lately; it
            is tried until it works.
    """

    def __init__(self, extractor: FeatureExtractor, settings: ServiceSettings) -> None:
        self.extractor = extractor
        self.is_failing = False
        self._batch_size = settings.batch_size
        self._wait_s = settings.batch_wait_ms / 1000
        self._most_s = settings.max_describe_s
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())
        self._probing: asyncio.Task[None] | None = None
        self._overdue: asyncio.Future[np.ndarray] | None = None

    async def warm_up(self, most_s: float | None = None) -> None:
        """Compiles the encoder, by an image of the size that photos will have.

        Args:
            most_s: How long it may take; None for as long as it takes.

        Raises:
            EncoderError: It cannot describe an image.
            TimeoutError: It takes longer.
        """
        size = evaluation_size(*_WARM_UP_SIZE, self.extractor.preprocessing)
        image = np.full((*size, 3), 0.5, np.float32)
        found = await self._forwarded([image], most_s)
        if not np.isfinite(found).all():
            raise DescriptorError(
                f"The encoder {self.extractor.description} gives NaN or infinity for a "
                "grey image. Check its weights."
            )

    async def describe(self, image: np.ndarray) -> np.ndarray:
        """Returns the descriptor of an image, when its turn comes.

        Args:
            image: Float32 `(height, width, 3)` in [0, 1].

        Raises:
            UndescribedPhotoError: The encoder refuses it.
            ProblemError: The encoder does not answer, or was closed.
        """
        if self._is_closed:
            raise ProblemError(
                503,
                "The service is ending, or changes its encoder. Send this request "
                "again.",
                _RETRY_LATER,
            )
        descriptor: asyncio.Future[np.ndarray] = self._loop.create_future()
        self._waiting.append(_Waiting(image, descriptor))
        self._arrived.set()
        return await descriptor

    def close(self) -> None:
        """Describes what waits, and ends."""
        self._is_closed = True
        self._arrived.set()
        if self._probing is not None:
            self._probing.cancel()

    def _note_failure(self) -> None:
        self.is_failing = True
        is_probed = self._probing is not None and not self._probing.done()
        if not is_probed and not self._is_closed:
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        """Tries the encoder until it works, so that requests need not."""
        while self.is_failing:
            try:
                await self.warm_up(self._most_s)
            except Exception as failure:
                _LOG.warning("The encoder still fails: %s", failure)
                await asyncio.sleep(_PROBE_EVERY_S)
            else:
                self.is_failing = False

    async def _run(self) -> None:
        while self._waiting or not self._is_closed:
            await self._wait_for_batch()
            batch = self._next_batch()
            if not batch:
                continue
            try:
                await self._describe_batch(batch)
            except Exception as failure:  # the next batch may do better
                # Its message may hold what was sent.
                _LOG.error("Photos were not described: %s", type(failure).__name__)
                _refuse(batch, _not_now())
        self._thread.shutdown(wait=False)

    async def _wait_for_batch(self) -> None:
        while not (self._waiting or self._is_closed):
            self._arrived.clear()
            await self._arrived.wait()
        until = self._loop.time() + self._wait_s
        while len(self._waiting) < self._batch_size and not self._is_closed:
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _next_batch(self) -> list[_Waiting]:
        """Takes the first photo and others of its shape, without abandoned ones."""
        wanted = [one for one in self._waiting if not one.descriptor.done()]
        shape = wanted[0].image.shape if wanted else None
        batch = [one for one in wanted if one.image.shape == shape]
        if wanted:
            fitting = max(1, _MOST_BATCH_BYTES // wanted[0].image.nbytes)
            batch = batch[: min(self._batch_size, fitting)]
        taken = {id(one) for one in batch}
        self._waiting = deque(one for one in wanted if id(one) not in taken)
        return batch

    async def _describe_batch(self, batch: list[_Waiting]) -> None:
        start_s = time.perf_counter()
        try:
            found = await self._forwarded([one.image for one in batch], self._most_s)
        except ImageSizeError as refusal:
            _refuse(batch, UndescribedPhotoError(str(refusal)))
        except Exception as failure:  # whatever an engine comes to
            _LOG.warning("The encoder failed: %s", failure)
            self._note_failure()
            _refuse(batch, _not_now())
        else:
            self.is_failing = False
            _answer(batch, found)
        metrics.observe_batch(len(batch))
        metrics.observe_step(metrics.DESCRIBE, time.perf_counter() - start_s)

    async def _forwarded(
        self, images: Sequence[np.ndarray], most_s: float | None
    ) -> np.ndarray:
        """Returns descriptors; what takes too long is left to end in its thread.

        Raises:
            TimeoutError: It does, or what did before has not ended.
        """
        if self._overdue is not None and not self._overdue.done():
            raise TimeoutError("it is still busy with images that took too long")
        forwarding = self._loop.run_in_executor(self._thread, self._forward, images)
        # Of what is left nobody asks how it ended.
        forwarding.add_done_callback(lambda one: one.cancelled() or one.exception())
        await asyncio.wait({forwarding}, timeout=most_s)
        if not forwarding.done():
            self._overdue = forwarding
            raise TimeoutError(
                f"{len(images)} images take longer than {most_s:g} s, the limit. "
                "See to the encoder or its server, or describe fewer together"
            )
        return forwarding.result()

    def _forward(self, images: Sequence[np.ndarray]) -> np.ndarray:
        found = np.asarray(self.extractor.forward()(np.stack(images)), np.float32)
        shape = (len(images), self.extractor.descriptor_dim)
        if found.shape != shape:
            raise DescriptorError(
                f"The encoder must give descriptors of shape {shape}. Received: "
                f"{found.shape}"
            )
        return found


def _not_now() -> ProblemError:
    return ProblemError(
        503,
        "The encoder does not describe photos now. Send this request again later; the "
        "log of the service says more.",
        _RETRY_LATER,
    )


def _refuse(batch: list[_Waiting], error: Exception) -> None:
    for one in batch:
        if not one.descriptor.done():
            one.descriptor.set_exception(error)


def _answer(batch: list[_Waiting], found: np.ndarray) -> None:
    for one, descriptor in zip(batch, found, strict=True):
        if not np.isfinite(descriptor).all():
            _refuse([one], UndescribedPhotoError(_NOT_FINITE))
        elif not one.descriptor.done():
            one.descriptor.set_result(descriptor)
