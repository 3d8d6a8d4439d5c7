"""From the photos of a request to their localizations: decode, describe, search."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from vpr_tf.localization import (
    Localization,
    LocalizationError,
    PhotoSequence,
    Track,
)
from vpr_tf.place_index import IndexState, PlaceIndex
from vpr_tf.place_index.localizing import LocalizationSettings
from vpr_tf.search import RetrievalError
from vpr_tf.serving import metrics
from vpr_tf.serving.admission import Admission
from vpr_tf.serving.answers import Timings
from vpr_tf.serving.decoding import Decoders
from vpr_tf.serving.decoding_work import DecodingTask, RefusedPhoto
from vpr_tf.serving.describing import UndescribedPhotoError
from vpr_tf.serving.options import SharedOptions
from vpr_tf.serving.photo_work import num_pixels
from vpr_tf.serving.problems import ProblemError, unusable_index
from vpr_tf.serving.reranking import not_compared, with_reranking
from vpr_tf.serving.searching import (
    DescribedPhoto,
    outside_warnings,
    photo_warnings,
    search,
)
from vpr_tf.serving.served_index import Encoders, IndexSnapshot, ServedIndex
from vpr_tf.serving.settings import ServiceSettings
from vpr_tf.serving.uploads import HeldBytes, UploadedPhoto

_Found = TypeVar("_Found")
# Searches at a time: each takes as many cores as it can use.
_SEARCHES = 2


@dataclass(frozen=True)
class UnreadPhoto:
    """A photo that could not be read.

    Attributes:
        name: Its name.
        reason: Why.
        is_image: Whether it is a JPEG or PNG at all.
    """

    name: str
    reason: str
    is_image: bool = True


@dataclass(frozen=True, eq=False)
class LocalizedPhotos:
    """What was found out about the photos of a request.

    Attributes:
        snapshot: The index.
        settings: How they were localized.
        min_confidence: Positions below were withheld; None without calibration.
        localizations: Of each photo that could be read.
        unreadable: The others.
        warnings: What to know of them.
        timings: Where the time went.
        track: Of a sequence; None of photos that have nothing to do with each other.
    """

    snapshot: IndexSnapshot
    settings: LocalizationSettings
    min_confidence: float | None
    localizations: list[Localization]
    unreadable: list[UnreadPhoto]
    warnings: list[str]
    timings: Timings
    track: Track | None = None


@dataclass
class _Clock:
    start: float = field(default_factory=time.perf_counter)

    def timings(self, decoded: float, described: float) -> Timings:
        now = time.perf_counter()
        parts = (
            decoded - self.start,
            described - decoded,
            now - described,
            now - self.start,
        )
        decode, describe, search, total = (round(1000 * s, 3) for s in parts)
        return Timings(
            decode_ms=decode, describe_ms=describe, search_ms=search, total_ms=total
        )


class PhotoLocalizer:
    """Localizes the photos of many requests.

    Args:
        settings: Limits, and what computes.

    Attributes:
        admission: Which photos are taken.
        held: Bytes of photos in memory.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.admission = Admission(settings)
        self.held = HeldBytes(settings.max_held_bytes)
        self._decoders = Decoders(settings)
        self._encoders = Encoders(settings)
        self._indexes: dict[str, ServedIndex] = {}
        self._searches = ThreadPoolExecutor(_SEARCHES, thread_name_prefix="search")

    @property
    def is_failing(self) -> bool:
        """Whether photos cannot be described now."""
        return self._encoders.is_failing

    async def start(self) -> None:
        """Starts the processes that decode photos."""
        await self._decoders.start()

    async def open(self, name: str, index: PlaceIndex) -> None:
        """Loads what an index needs.

        Args:
            name: Of the index.
            index: The index.

        Raises:
            ServiceError: It keeps no encoder, or it cannot be used.
        """
        served = ServedIndex(name, index, self._encoders, self._settings)
        await served.open()
        self._indexes[name] = served

    async def state(self, name: str) -> IndexState:
        """Returns the state of an index that photos are searched in.

        Raises:
            ProblemError: It was damaged since.
        """
        return (await self._indexes[name].snapshot()).state

    async def follow(self, name: str) -> None:
        """Waits until what was changed before is what requests find.

        Args:
            name: Of the index.
        """
        await self._indexes[name].follow()

    async def close(self) -> None:
        """Ends processes and threads."""
        self._encoders.close()
        await self._decoders.close()
        self._searches.shutdown(wait=False, cancel_futures=True)

    async def localize(
        self, name: str, photos: Sequence[UploadedPhoto], options: SharedOptions
    ) -> LocalizedPhotos:
        """Localizes the photos of a request.

        Args:
            name: Of the index.
            photos: At least one.
            options: How.

        Raises:
            ProblemError: They would wait too long, or the encoder or the index does
                not answer.
        """
        clock = _Clock()
        pixels = await asyncio.to_thread(self._num_pixels, photos)
        with self.admission.places(len(photos), pixels):
            snapshot = await self._indexes[name].snapshot()
            owner = object()
            found = await _together(
                self._noted(self._described(number, one, snapshot, options, owner))
                for number, one in enumerate(photos)
            )
            described = [one for one in found if isinstance(one, DescribedPhoto)]
            unreadable = [one for one in found if isinstance(one, UnreadPhoto)]
            now = time.perf_counter()
            decoded_at = max((one.decoded_at for one in described), default=now)
            sequence = _sequence_of(described, options)
            _check_circles(described, snapshot.state)
            settings, localizations = await self._searched(
                name, snapshot, described, options, sequence
            )
        metrics.observe_step(metrics.SEARCH, time.perf_counter() - now)
        for one in localizations:
            metrics.count_photos(one.status)
        metrics.count_photos("unreadable", len(unreadable))
        least = options.min_confidence
        if settings.calibration is None:
            least = None
        elif least is None:
            least = settings.calibration.min_confidence
        return LocalizedPhotos(
            snapshot,
            settings,
            least,
            localizations,
            unreadable,
            photo_warnings(snapshot, settings, described, options)
            + ([] if sequence else self._not_compared(snapshot))
            + outside_warnings(localizations)
            + [f"{one.photo}: {one.warning}" for one in localizations if one.warning],
            clock.timings(decoded_at, now),
            None if sequence is None else Track.of(localizations, sequence),
        )

    async def _searched(
        self,
        name: str,
        snapshot: IndexSnapshot,
        photos: list[DescribedPhoto],
        options: SharedOptions,
        sequence: PhotoSequence | None,
    ) -> tuple[LocalizationSettings, list[Localization]]:
        try:
            settings = LocalizationSettings.from_manifest(
                snapshot.state.manifest,
                with_reranking(
                    options.of_photo(None), None if sequence else snapshot.reranking
                ),
            )
            found = await asyncio.get_running_loop().run_in_executor(
                self._searches, search, snapshot, photos, options, sequence
            )
        except (RetrievalError, LocalizationError, OSError) as error:
            # What a request asks for was checked: the index, or where it is, fails.
            raise unusable_index(name, error) from error
        return settings, found

    def _not_compared(self, snapshot: IndexSnapshot) -> list[str]:
        if snapshot.reranking is not None:
            return []
        return not_compared(snapshot.state.manifest, self._settings)

    def _num_pixels(self, photos: Sequence[UploadedPhoto]) -> int:
        most = self._settings.max_pixels
        return sum(num_pixels(one.content, most) for one in photos)

    async def _noted(self, photo: Coroutine[Any, Any, _Found]) -> _Found:
        found = await photo
        self.admission.photo_done()
        return found

    async def _described(
        self,
        number: int,
        photo: UploadedPhoto,
        snapshot: IndexSnapshot,
        options: SharedOptions,
        owner: object,
    ) -> DescribedPhoto | UnreadPhoto:
        rerank = None
        if snapshot.reranking is not None and not options.is_sequence:
            rerank = snapshot.reranking.config
        task = DecodingTask(
            snapshot.preprocessings,
            self._settings.max_pixels,
            self._settings.max_encoded_pixels,
            wants_position=options.reads_position,
            wants_time=options.reads_time,
            matched_px=None if rerank is None else rerank.image_size,
        )
        start_s = time.perf_counter()
        async with self._decoders.decoded(photo.content, task, owner) as decoded:
            metrics.observe_step(metrics.DECODE, time.perf_counter() - start_s)
            if isinstance(decoded, RefusedPhoto):
                return UnreadPhoto(photo.name, decoded.reason, decoded.is_image)
            decoded_at = time.perf_counter()
            try:
                return DescribedPhoto(
                    number,
                    photo.name,
                    (decoded.height, decoded.width),
                    options.circle_of(decoded.position_deg),
                    await _descriptors(snapshot, decoded.images),
                    decoded_at,
                    decoded.taken,
                    decoded.matched,
                )
            except (UndescribedPhotoError, ValueError) as error:
                return UnreadPhoto(photo.name, str(error))


async def _descriptors(
    snapshot: IndexSnapshot, images: list[np.ndarray]
) -> list[np.ndarray]:
    """Returns what each encoder makes of its image."""
    pairs = zip(snapshot.describers, images, strict=True)
    return [await describer.describe(image) for describer, image in pairs]


async def _together(calls: Iterable[Coroutine[Any, Any, _Found]]) -> list[_Found]:
    """Returns what calls return; the first that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _check_circles(photos: Sequence[DescribedPhoto], state: IndexState) -> None:
    """Refuses circles around degrees in an index of local coordinates.

    Raises:
        ProblemError: There are some.
    """
    if all(one.circle is None for one in photos):
        return
    try:
        state.photos.positions.refuse_local("A circle around latitude and longitude")
    except ValueError as error:
        remedy = "Leave out `within` and `exif_radius_m`."
        raise ProblemError(422, f"{error} {remedy}") from error


def _sequence_of(
    photos: Sequence[DescribedPhoto], options: SharedOptions
) -> PhotoSequence | None:
    """Returns when photos of one camera were taken; None of others.

    Raises:
        ProblemError: They do not say it.
    """
    try:
        return options.sequence(
            [one.number for one in photos], [one.taken for one in photos]
        )
    except LocalizationError as error:
        raise ProblemError(
            422,
            "The photos do not say when they were taken. Send the field "
            "`seconds_between`, from each to the next.",
        ) from error
