"""Changes of served indexes, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from vpr_tf.place_index import IndexManifest, IndexState, PlaceIndex
from vpr_tf.search import RetrievalError
from vpr_tf.serving.adding_work import Added, Addition, UnusablePhotoError, add_photos
from vpr_tf.serving.photo_changes import Removal
from vpr_tf.serving.problems import ProblemError
from vpr_tf.worker_pool import WorkerError, WorkerPool

_LOG = logging.getLogger("vpr_tf.serving")
_NAMED = 5
# A process that holds the builder's encoder ends when it was idle for so long.
_IDLE_S = 120.0


class IndexChanges:
    """Adds photos to indexes and removes some.

    What one admin begins is done before another's change begins; other processes are
    kept out by the lock of the index, see `PlaceIndex`.
    """

    def __init__(self) -> None:
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._adding = asyncio.Lock()
        self._pool: WorkerPool | None = None
        self._end: asyncio.TimerHandle | None = None

    async def add(self, name: str, index: PlaceIndex, addition: Addition) -> Added:
        """Adds photos.

        Args:
            name: Of the index.
            index: The index.
            addition: What.

        Raises:
            ProblemError: A key is there already (409), a photo cannot be used (422),
                or the index cannot be changed (503). Nothing was added.
        """
        async with self._turns[name], self._adding:
            with _explained(name):
                if not addition.replace:
                    state = await asyncio.to_thread(index.state)
                    _refuse_known(state, addition.columns["keys"])
                return await self._in_process(addition)

    async def remove(
        self, name: str, index: PlaceIndex, removal: Removal
    ) -> tuple[list[str], IndexManifest]:
        """Removes photos, or says which would be.

        Args:
            name: Of the index.
            index: The index.
            removal: Which.

        Returns:
            Their keys, and what the index is then.

        Raises:
            ProblemError: A key is unknown (404), or the index cannot be changed (503).
                Nothing was removed.
        """
        async with self._turns[name]:
            with _explained(name):
                return await asyncio.to_thread(_remove, index, removal)

    async def close(self) -> None:
        """Ends the process that adds photos."""
        if self._end is not None:
            self._end.cancel()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.__exit__, None, None, None)

    async def _in_process(self, addition: Addition) -> Added:
        if self._end is not None:
            self._end.cancel()
        if self._pool is None:
            self._pool = WorkerPool(1, "workers", preload=[add_photos.__module__])
        pool = self._pool
        try:
            return await asyncio.to_thread(_first, pool, addition)
        except WorkerError as error:
            await self.close()
            raise ProblemError(
                503, "The process that describes photos died. Nothing was added."
            ) from error
        finally:
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(_IDLE_S, self._end_idle)

    def _end_idle(self) -> None:
        if not self._adding.locked():
            self._closing = asyncio.ensure_future(self.close())


def _first(pool: WorkerPool, addition: Addition) -> Added:
    [added] = pool.map_in_order(add_photos, [(addition,)])
    return added


def _remove(index: PlaceIndex, removal: Removal) -> tuple[list[str], IndexManifest]:
    state = index.state()
    if removal.keys is None:
        keys = index.select(older_than=removal.older_than, within=removal.circle)
    else:
        keys = list(dict.fromkeys(removal.keys))
        _refuse_unknown(state, keys)
    if keys and not removal.dry_run:
        return keys, index.remove(keys)
    return keys, state.manifest


def _rows_of(state: IndexState, keys: list[str]) -> tuple[list[str], np.ndarray]:
    """Returns keys in order, and whether the index has each."""
    ordered = sorted(keys, key=str.encode)
    has = np.zeros(len(ordered), bool)
    has[state.find_alive(np.array([key.encode() for key in ordered]))[1]] = True
    return ordered, has


def _refuse_known(state: IndexState, keys: list[str]) -> None:
    ordered, has = _rows_of(state, keys)
    if has.any():
        raise ProblemError(
            409,
            f"The index has {has.sum()} of these photos: {_names(ordered, has)}. Leave "
            "them out, or pass `replace=true`.",
        )


def _refuse_unknown(state: IndexState, keys: list[str]) -> None:
    ordered, has = _rows_of(state, keys)
    if not has.all():
        raise ProblemError(
            404,
            f"The index has no photos of {(~has).sum()} of these keys: "
            f"{_names(ordered, ~has)}. Nothing was removed.",
        )


def _names(keys: list[str], chosen: np.ndarray) -> str:
    names = [key for key, is_one in zip(keys, chosen, strict=True) if is_one]
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Makes errors of a change problems; those that may name folders are logged."""
    try:
        yield
    except UnusablePhotoError as error:
        raise ProblemError(422, f"Nothing was added. {error}") from error
    except (RetrievalError, OSError, ImportError, RuntimeError) as error:
        _LOG.error("The index %s cannot be changed: %s", name, error)
        raise ProblemError(
            503,
            f"The index {name!r} is as it was and cannot be changed now. The service's "
            "log says why.",
            {"Retry-After": "10"},
        ) from error
    except ValueError as error:
        raise ProblemError(422, f"The index is as it was. {error}") from error
