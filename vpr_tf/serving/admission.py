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
# Of a core that decodes: JPEG and PNG of cameras, with what is done to them.
_SECONDS_A_PIXEL = 20e-9
# Photos of `max_pixels` that one request may have.
_LARGEST_PHOTOS = 5


class Admission:
    """Counts photos that wait or are being localized, and how fast they are done.

    A photo waits for those before it, so about as long as their number times the
    seconds that pass from one photo done to the next while there are photos. Besides,
    pixels take time, which nothing tells before they are decoded: requests take turns
    there, so that a photo waits for one of each other request.

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
        self._pixels_s = 0.0  # that pixels which were taken take, and did not yet
        self._taken: list[tuple[int, float]] = []  # of each request: photos, decode_s
        self._since = self._moved = clock()  # counted, and anything done

    @property
    def seconds_a_photo(self) -> float:
        """From one photo done to the next, lately, but for what pixels take.

        It is 0 before the first.
        """
        return self._busy_s / self._done if self._done else 0.0

    def wait_s(self, num_photos: int = 1) -> float:
        """How long photos would wait that came now."""
        if not self.num_photos:
            return 0.0
        by_pace_s = self.num_photos * self.seconds_a_photo
        for other, decode_s in self._taken:
            by_pace_s += decode_s * min(1.0, num_photos / other)
        if self.num_photos <= self._settings.batch_size:
            return by_pace_s  # they hold up nobody, such as one that is slow to decode
        # Where some wait and nothing is done any more, the pace does not tell.
        return max(by_pace_s, self._clock() - self._moved)

    def check(self, num_photos: int = 1) -> None:
        """Refuses photos that would wait too long.

        Raises:
            ProblemError: They would.
        """
        wait_s, limit_s = self.wait_s(num_photos), self._settings.max_wait_s
        is_full = self.num_photos + num_photos > self._settings.max_queued
        if is_full or wait_s > limit_s:
            later_s = max(1, math.ceil(wait_s / 2))
            raise ProblemError(
                503,
                "Too many photos wait. Send this request again later.",
                {"Retry-After": str(later_s)},
            )

    @contextmanager
    def places(self, num_photos: int, num_pixels: int = 0) -> Iterator[None]:
        """Takes the photos of a request, for as long as they are being localized.

        Args:
            num_photos: How many.
            num_pixels: That they have together.

        Raises:
            ProblemError: They would wait too long, or hold up others.
        """
        most = _LARGEST_PHOTOS * self._settings.max_pixels
        if num_pixels > most:
            raise ProblemError(
                413,
                f"The photos of one request may have {most:,} pixels together. "
                f"Received: {num_pixels:,}. Send fewer at a time, or smaller ones.",
            )
        self.check(num_photos)
        if not self.num_photos:
            self._since = self._moved = self._clock()
        decode_s = num_pixels * _SECONDS_A_PIXEL / self._settings.num_decoders
        taken = num_photos, decode_s
        self._hold(num_photos)
        self._taken.append(taken)
        self._pixels_s += decode_s
        try:
            yield
            self._count(num_photos)
        except Exception:
            # Not a client that has gone: what others take is counted on.
            self._since = self._moved = self._clock()
            raise
        finally:
            self._hold(-num_photos)
            self._taken.remove(taken)
            left_s = sum(seconds for _, seconds in self._taken)
            self._pixels_s = min(self._pixels_s, left_s)

    def photo_done(self) -> None:
        """Notes that one photo of a request is decoded and described, or unreadable."""
        self._moved = self._clock()

    def _hold(self, num_photos: int) -> None:
        self.num_photos += num_photos
        metrics.set_queued(self.num_photos)

    def _count(self, num_photos: int) -> None:
        now = self._clock()
        passed_s = now - self._since
        by_pixels_s = min(passed_s, self._pixels_s)  # of whichever request
        self._pixels_s -= by_pixels_s
        kept = _KEPT**num_photos
        self._busy_s = self._busy_s * kept + passed_s - by_pixels_s
        self._done = self._done * kept + num_photos
        self._since = self._moved = now
