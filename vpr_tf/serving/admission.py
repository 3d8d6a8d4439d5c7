"""Which photos are taken, and which are refused because they would wait too long."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vpr_tf.serving import metrics
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.settings import ServiceSettings

# Of the pace so far, for each photo that is done: it follows the last hundred.
_KEPT = 0.99


class Admission:
    """Counts photos that wait or are being localized, and how fast they are done.

    A photo waits for those before it, so about as long as their number times the
    seconds that pass from one photo done to the next while there are photos.

    Args:
        settings: `max_queued`, `max_wait_s` and `batch_size`.
        clock: Seconds.

    Attributes:
        num_photos: Photos that wait or are being localized.
    """

    def __init__(
        self, settings: ServiceSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock = settings, clock
        self.num_photos = 0
        self._busy_s = self._done = 0.0
        self._since = clock()

    @property
    def seconds_a_photo(self) -> float:
        """From one photo done to the next, lately; 0 before the first."""
        return self._busy_s / self._done if self._done else 0.0

    @property
    def wait_s(self) -> float:
        """How long a photo would wait that came now."""
        if not self.num_photos:
            return 0.0
        by_pace_s = self.num_photos * self.seconds_a_photo
        if self.num_photos <= self._settings.batch_size:
            return by_pace_s  # they hold up nobody, such as one that is slow to decode
        # Where some wait and nothing is done any more, the pace does not tell.
        return max(by_pace_s, self._clock() - self._since)

    def check(self, num_photos: int = 1) -> None:
        """Refuses photos that would wait too long.

        Raises:
            ProblemError: They would.
        """
        wait_s, limit_s = self.wait_s, self._settings.max_wait_s
        is_full = self.num_photos + num_photos > self._settings.max_queued
        if is_full or wait_s > limit_s:
            later_s = max(1, math.ceil(wait_s / 2))
            raise ProblemError(
                503,
                "Too many photos wait. Send this request again later.",
                {"Retry-After": str(later_s)},
            )

    @contextmanager
    def places(self, num_photos: int) -> Iterator[None]:
        """Takes photos, for as long as they are being localized.

        Raises:
            ProblemError: They would wait too long.
        """
        self.check(num_photos)
        if not self.num_photos:
            self._since = self._clock()
        self._hold(num_photos)
        try:
            yield
            self._count(num_photos)
        finally:
            self._hold(-num_photos)

    def _hold(self, num_photos: int) -> None:
        self.num_photos += num_photos
        metrics.set_queued(self.num_photos)

    def _count(self, num_photos: int) -> None:
        now = self._clock()
        kept = _KEPT**num_photos
        self._busy_s = self._busy_s * kept + now - self._since
        self._done = self._done * kept + num_photos
        self._since = now
