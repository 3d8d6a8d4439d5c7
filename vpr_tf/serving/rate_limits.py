"""How many photos each key may send: token buckets that all worker processes share."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import mmap
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vpr_tf.serving.key_file import MOST_KEYS, Key

FILE_NAME = "rate_limits"
# Of a request without photos: pages ask for many small pictures.
REQUEST_COST = 0.05
_BUCKET = np.dtype([("key", "<u8", 2), ("tokens", "<f8"), ("filled_at_s", "<f8")])
# Twice as many as there may be keys: a bucket that is taken over had been full.
_NUM_BUCKETS = 2 * MOST_KEYS


class RateLimits:
    """A bucket for each key: as many tokens as photos a minute, refilled all the time.

    What is taken of a bucket is one token a photo. A request of more photos than the
    bucket holds passes when it is full, and leaves a debt. The buckets lie in a file
    of fixed size in a folder that the workers of one service share.

    Args:
        folder: That folder, new at each start; None for one worker.
    """

    def __init__(self, folder: Path | None = None) -> None:
        num_bytes = _NUM_BUCKETS * _BUCKET.itemsize
        self._file: int | None = None
        buffer = mmap.mmap(-1, num_bytes)
        if folder is not None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(folder / FILE_NAME, flags, 0o600)
            os.ftruncate(self._file, num_bytes)
            buffer = mmap.mmap(self._file, num_bytes)
        self._buckets = np.frombuffer(buffer, _BUCKET)
        self._threads = threading.Lock()

    def take(
        self,
        key: Key,
        cost: float,
        *,
        least: float = 0.0,
        given_back: float = 0.0,
        now_s: float | None = None,
    ) -> float:
        """Takes tokens of a key's bucket.

        Args:
            key: The key.
            cost: Tokens.
            least: Tokens that must be there, of which no more than `cost` are taken.
            given_back: Tokens that were taken before, for something else.
            now_s: By the clock that all processes share; None for now.

        Returns:
            0, or for how many seconds to wait: then nothing was taken.
        """
        rate, capacity = key.photos_per_minute / 60, max(key.photos_per_minute, 1.0)
        with self._threads, _locked(self._file):
            # Read here: who waited for the lock would turn the clock back for all.
            now_s = time.monotonic() if now_s is None else now_s
            bucket = self._bucket(key, capacity, now_s)
            passed_s = max(0.0, now_s - float(bucket["filled_at_s"]))
            tokens = float(bucket["tokens"]) + passed_s * rate + given_back
            tokens = min(capacity, tokens)
            missing = min(max(cost, least), capacity) - tokens
            taken = missing <= 1e-9
            bucket["tokens"] = tokens - cost if taken else tokens
            bucket["filled_at_s"] = now_s
        return 0.0 if taken else missing / rate

    def _bucket(self, key: Key, capacity: float, now_s: float) -> np.void:
        """Returns the bucket of a key, a full one if it is new."""
        name = np.frombuffer(_name(key), "<u8")
        found = np.flatnonzero((self._buckets["key"] == name).all(axis=1))
        if len(found):
            return self._buckets[found[0]]  # type: ignore[no-any-return]
        oldest = self._buckets[int(np.argmin(self._buckets["filled_at_s"]))]
        oldest["key"], oldest["tokens"] = name, capacity
        oldest["filled_at_s"] = now_s
        return oldest  # type: ignore[no-any-return]


@contextlib.contextmanager
def _locked(file: int | None) -> Iterator[None]:
    """Holds the lock of a file; of none it does nothing."""
    if file is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_UN)


def _name(key: Key) -> bytes:
    # The name counts, too: the same hash under two names is two users.
    return hashlib.sha256(f"{key.sha256} {key.name}".encode()).digest()[:16]


def retry_after(wait_s: float) -> str:
    """Returns the value of the header `Retry-After`."""
    return str(max(1, math.ceil(wait_s)))
