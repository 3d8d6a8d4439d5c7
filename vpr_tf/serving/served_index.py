"""An index that is being changed, and the encoders of its queries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from vpr_tf.config import Preprocessing
from vpr_tf.engine_choice import using_engine
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.place_index import IndexState, PlaceIndex, Reranking
from vpr_tf.place_index.index_classifier import IndexClassifier
from vpr_tf.place_index.layout import ONNX_COPY
from vpr_tf.search import RetrievalError
from vpr_tf.serving.describing import Describer
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.reranking import open_reranking
from vpr_tf.serving.settings import ServiceError, ServiceSettings

_LOG = logging.getLogger("vpr_tf")
# A change that is opened within this is seen by the next request; a larger one, or
# another encoder, when it is open.
_WAIT_FOR_CHANGE_S = 0.25
# A state that could not be opened is not tried again before.
_RETRY_S = 5.0


class Encoders:
    """The encoders of all indexes; those of the same encoder share one queue.

    Args:
        settings: Engine, server and batches.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._describers: dict[Hashable, Describer] = {}
        self._num_users: Counter[Hashable] = Counter()
        self._lock = asyncio.Lock()
        self.rerankings: dict[Hashable, Reranking] = {}

    async def open(self, opened: OpenedIndex) -> IndexSnapshot:
        """Returns an index with what describes photos for it, warmed up.

        An encoder ends with the last snapshot that uses it: requests that began before
        a change may still send it photos.

        Args:
            opened: What to open.

        Raises:
            ValueError: An encoder is damaged, or cannot describe an image.
        """
        keys = [key for key, _ in opened.extractors]
        self._num_users.update(keys)
        try:
            async with self._lock:
                describers = [await self._describer(*one) for one in opened.extractors]
        except BaseException:
            self._let_go(keys)
            raise
        snapshot = IndexSnapshot(
            opened.state, describers, opened.classifier, opened.reranking
        )
        loop = asyncio.get_running_loop()
        ended = weakref.finalize(snapshot, _call_soon, loop, self._let_go, keys)
        ended.atexit = False
        return snapshot

    async def _describer(self, key: Hashable, extractor: FeatureExtractor) -> Describer:
        if key not in self._describers:
            describer = Describer(extractor, self._settings)
            try:
                await describer.warm_up()
            except BaseException:
                describer.close()
                raise
            self._describers[key] = describer
        return self._describers[key]

    def _let_go(self, keys: list[Hashable]) -> None:
        self._num_users.subtract(keys)
        for key in keys:
            if not self._num_users[key] and key in self._describers:
                self._describers.pop(key).close()

    @property
    def is_failing(self) -> bool:
        """Whether one of them failed, and has not worked since."""
        return any(one.is_failing for one in self._describers.values())

    def close(self) -> None:
        """Ends the encoders, when they have described what waits."""
        for describer in self._describers.values():
            describer.close()
        self._describers.clear()


@dataclass(frozen=True, eq=False)
class OpenedIndex:
    """An index as it is now, with the encoders of its queries.

    Attributes:
        state: What is searched.
        extractors: The encoder, and that of the classifier if it is another; with
            what they share a queue by.
        classifier: Chooses the cells that are searched; None if the index keeps none.
        reranking: Compares photos with their candidates; None does not.
    """

    state: IndexState
    extractors: list[tuple[Hashable, FeatureExtractor]]
    classifier: IndexClassifier | None
    reranking: Reranking | None = None

    @classmethod
    def open(
        cls,
        index: PlaceIndex,
        settings: ServiceSettings,
        rerankings: dict[Hashable, Reranking],
    ) -> OpenedIndex:
        """Loads what belongs to the newest state.

        Args:
            index: The index.
            settings: See `Encoders`.
            rerankings: Those of former states, which keep key points.

        Raises:
            ImportError: Photos are to be re-ranked without the extra `rerank`.
            ValueError: The index keeps no encoder, or something is damaged.
        """
        while True:
            state = index.state()
            opened = cls._open(index, state, settings, rerankings)
            if index.state() is state:
                return opened

    @classmethod
    def _open(
        cls,
        index: PlaceIndex,
        state: IndexState,
        settings: ServiceSettings,
        rerankings: dict[Hashable, Reranking],
    ) -> OpenedIndex:
        with using_engine(settings.engine, settings.encoder_url):
            extractor = index.extractor(of_queries=True)
            has_copy = ONNX_COPY in state.manifest.encoder_files
            extractors = [(_key(extractor, has_copy), extractor)]
            classifier = index.classifier() if state.manifest.classifier else None
            if classifier is not None and classifier.encoder is not None:
                other = classifier.encoder
                extractors.append((_key(other, False), other))
            reranking = open_reranking(index, state, settings, rerankings)
        return cls(state, extractors, classifier, reranking)


def _call_soon(
    loop: asyncio.AbstractEventLoop, call: Callable[..., None], keys: list[Hashable]
) -> None:
    """Calls in the loop, from whichever thread let go of a snapshot last."""
    with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
        loop.call_soon_threadsafe(call, keys)


def _key(extractor: FeatureExtractor, has_copy: bool) -> Hashable:
    return (
        extractor.fingerprint,
        extractor.preprocessing,
        extractor.engine,
        has_copy,
    )


@dataclass(frozen=True, eq=False)
class IndexSnapshot:
    """What a request is answered with, though the index changes meanwhile.

    Attributes:
        state: What is searched.
        describers: Of the index, and of the classifier if that has its own encoder.
        classifier: See `OpenedIndex`.
        reranking: Same.
    """

    state: IndexState
    describers: list[Describer]
    classifier: IndexClassifier | None
    reranking: Reranking | None = None

    @property
    def preprocessings(self) -> tuple[Preprocessing, ...]:
        """How photos are prepared for each encoder."""
        return tuple(one.extractor.preprocessing for one in self.describers)


@dataclass(frozen=True, eq=False)
class _FailedState:
    state: IndexState
    reason: str
    retry_at: float  # of the clock of the loop


class ServedIndex:
    """Follows the changes of an index.

    Args:
        name: Of the index.
        index: The index.
        encoders: Of all indexes.
        settings: See `Encoders`.
    """

    def __init__(
        self,
        name: str,
        index: PlaceIndex,
        encoders: Encoders,
        settings: ServiceSettings,
    ) -> None:
        self._name, self._index = name, index
        self._encoders, self._settings = encoders, settings
        self._snapshot: IndexSnapshot | None = None
        self._failed: _FailedState | None = None
        self._following: asyncio.Task[IndexSnapshot] | None = None

    async def open(self) -> None:
        """Loads and warms up the encoder.

        Raises:
            ServiceError: The index keeps no encoder, or it cannot be used.
        """
        try:
            self._snapshot = await self._follow()
        except (RetrievalError, ValueError, ImportError) as error:
            raise ServiceError(
                f"The index {self._name!r} cannot be served: {error}"
            ) from error

    async def snapshot(self) -> IndexSnapshot:
        """Returns the index as it is, or as it was while a large change is opened.

        Raises:
            ProblemError: The index was damaged since, or its newest state could not be
                opened and no newer one was since.
        """
        following = self._followed()
        await asyncio.wait({following}, timeout=_WAIT_FOR_CHANGE_S)
        if self._failed or (following.done() and following.exception()):
            raise ProblemError(
                503,
                f"The index {self._name!r} cannot be read now; the log of the service "
                "says more.",
                {"Retry-After": "5"},
            )
        if self._snapshot is None:
            raise ProblemError(503, "The service is starting.", {"Retry-After": "1"})
        return self._snapshot

    async def follow(self) -> None:
        """Waits until what was changed before is open, or cannot be opened."""
        if self._following is not None:  # it may have begun before the change
            await asyncio.wait({self._following})
        await asyncio.wait({self._followed()})

    def _followed(self) -> asyncio.Task[IndexSnapshot]:
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())
            self._following.add_done_callback(_note_failure)
        return self._following

    async def _follow(self) -> IndexSnapshot:
        known = self._snapshot
        state = await asyncio.to_thread(self._index.state)
        if known is not None and state is known.state:
            return known
        now, failed = asyncio.get_running_loop().time(), self._failed
        if failed and failed.state is state and now < failed.retry_at:
            raise RetrievalError(failed.reason)
        try:
            opened = await asyncio.to_thread(
                OpenedIndex.open,
                self._index,
                self._settings,
                self._encoders.rerankings,
            )
            self._snapshot = await self._encoders.open(opened)
        except Exception as error:
            until = asyncio.get_running_loop().time() + _RETRY_S
            self._failed = _FailedState(state, str(error), until)
            raise
        self._failed = None
        return self._snapshot


def _note_failure(following: asyncio.Task[IndexSnapshot]) -> None:
    if not following.cancelled() and following.exception():
        _LOG.warning("An index cannot be read: %s", following.exception())
