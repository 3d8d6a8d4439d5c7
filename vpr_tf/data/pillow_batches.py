"""Batches of whole images that are read without TensorFlow."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.data.image_sources import (
    BatchReader,
    DamagedImage,
    DamagedImageError,
    PixelSource,
)
from vpr_tf.data.pillow_decoding import resize_for_evaluation
from vpr_tf.photos import InvalidEntryError


@dataclass(frozen=True, eq=False)
class PillowBatches(BatchReader):
    """Images as arrays, decoded by Pillow in threads; see `BatchReader`."""

    source: PixelSource

    def iterate(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """See `BatchReader`."""
        plan = self.plan(rows)
        ends = np.cumsum(plan.batch_sizes)[:-1]
        images = _mapped(self._image, plan.record_ids, self.images_at_a_time(rows))
        for batch_rows in np.split(plan.record_ids, ends) if len(rows) else ():
            yield np.stack([next(images) for _ in batch_rows]), batch_rows

    def _image(self, row: int) -> np.ndarray:
        try:
            pixels = self.source.pixels(row)
        except InvalidEntryError as error:
            raise DamagedImageError(DamagedImage(int(row), error)) from error
        return resize_for_evaluation(pixels, self.preprocessing)


def _mapped(
    function: Callable[[Any], np.ndarray], values: Iterable[Any], at_a_time: int
) -> Iterator[np.ndarray]:
    """Maps values in threads, in their order, few of them ahead of the reader."""
    threads = ThreadPoolExecutor(min(at_a_time, os.cpu_count() or 1))
    ahead: deque[Future[np.ndarray]] = deque()
    try:
        for value in values:
            ahead.append(threads.submit(function, value))
            if len(ahead) == at_a_time:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
