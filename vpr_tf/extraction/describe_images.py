"""The loop from images to descriptors, of any source into any store.

The batches of a source are cut into units. What cannot be read shortens the batches of
its own unit and no others, so that a descriptor is computed in the same batch by one
process, by one that went on, and by several machines that share the units.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from vpr_tf.data.image_sources import BatchReader, DamagedImageError
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.errors import DescriptorError, ImageSizeError
from vpr_tf.photos import PhotoFiles
from vpr_tf.printable import printable
from vpr_tf.terminal_bar import TerminalBar

_BATCHES_OF_UNIT = 16
_UNITS_AT_ONCE = 64  # of one pipeline, so that none is begun for each unit


class DescriptorStore(Protocol):
    """Where descriptors go: a `DescriptorFile`, or memory."""

    @property
    def rows(self) -> np.ndarray:
        """All row numbers, ascending."""

    @property
    def missing_rows(self) -> np.ndarray:
        """Rows that no one has written yet, ascending."""

    def missing_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns those of some rows that no one has written yet."""

    def write(self, rows: np.ndarray, descriptors: np.ndarray) -> None:
        """Stores descriptors `(len(rows), descriptor_dim)` of some rows."""

    def commit(self) -> None:
        """Makes what was written survive a crash."""


class DescriptorArray:
    """Descriptors of some rows, in memory.

    Args:
        rows: Row numbers, ascending.
        descriptor_dim: Length of a descriptor.

    Attributes:
        rows: See above.
        descriptors: Float32 `(len(rows), descriptor_dim)`.
        done: Whether each was written.
    """

    def __init__(self, rows: np.ndarray, descriptor_dim: int) -> None:
        self.rows = rows
        self.descriptors = np.zeros((len(rows), descriptor_dim), np.float32)
        self.done = np.zeros(len(rows), bool)

    @property
    def missing_rows(self) -> np.ndarray:
        """See `DescriptorStore`."""
        return self.rows[~self.done]

    def missing_of(self, rows: np.ndarray) -> np.ndarray:
        """See `DescriptorStore`."""
        return rows[~self.done[np.searchsorted(self.rows, rows)]]

    def write(self, rows: np.ndarray, descriptors: np.ndarray) -> None:
        """See `DescriptorStore`."""
        places = np.searchsorted(self.rows, rows)
        self.descriptors[places] = descriptors
        self.done[places] = True

    def commit(self) -> None:
        """Does nothing: memory survives no crash."""


@dataclass(frozen=True, eq=False)
class DescribedPhotos:
    """Photos and their descriptors.

    Attributes:
        photos: The photos that could be described; those that could not are in
            `photos.rejected`, with what was rejected before.
        descriptors: `(num_listed, descriptor_dim)`, memory-mapped or in memory.
        rows: Row of `descriptors` of each photo, int64, ascending: all of them unless
            a photo could not be read.
    """

    photos: PhotoFiles
    descriptors: np.ndarray
    rows: np.ndarray

    def in_memory(self) -> np.ndarray:
        """Returns the descriptors of `photos`, one a photo, as float32."""
        return np.asarray(self.descriptors[self.rows], np.float32)


def describe_images(
    forward: Forward,
    descriptor_dim: int,
    batches: BatchReader,
    store: DescriptorStore,
    *,
    skip_damaged: bool = False,
    progress: bool = True,
) -> dict[int, str]:
    """Computes the descriptors that a store misses.

    Batches are the same whether or not a former run was killed, so the bytes of the
    descriptors are, too.

    Args:
        forward: The compiled encoder.
        descriptor_dim: Length of its descriptors.
        batches: The images.
        store: Where the descriptors go, one a row of the images' source.
        skip_damaged: Goes on without images that cannot be read or that are too
            small for the encoder.
        progress: Whether to draw a progress bar.

    Returns:
        The rows that were skipped, with the reasons.

    Raises:
        DescriptorError: The encoder gave NaN, infinity or another shape.
        ValueError: An image cannot be read or decoded; its name and why.
    """
    with description_bar(batches, store, progress) as bar:
        loop = _Loop(forward, descriptor_dim, batches, store, skip_damaged, bar)
        units = deque(missing_units(batches, store))
        while units:
            loop.describe(_next_units(units))
    return loop.skipped


def describe_unit(
    forward: Forward,
    descriptor_dim: int,
    batches: BatchReader,
    rows: np.ndarray,
    *,
    skip_damaged: bool,
) -> tuple[DescriptorArray, dict[int, str]]:
    """Computes the descriptors of one unit, see `missing_units`; as `describe_images`.

    Args:
        forward: See `describe_images`.
        descriptor_dim: Likewise.
        batches: Likewise.
        rows: The unit, or what an interrupted run left of it, ascending.
        skip_damaged: See `describe_images`.

    Returns:
        The descriptors, and the rows that were skipped, with the reasons.

    Raises:
        ValueError: See `describe_images`.
    """
    store = DescriptorArray(rows, descriptor_dim)
    with description_bar(batches, store, False) as bar:
        loop = _Loop(forward, descriptor_dim, batches, store, skip_damaged, bar)
        loop.finish(rows)
    return store, loop.skipped


def description_bar(
    batches: BatchReader, store: DescriptorStore, progress: bool
) -> TerminalBar:
    """Returns a progress bar over the images of a store."""
    num_rows = len(store.rows)
    return TerminalBar(
        total=num_rows,
        initial=num_rows - len(store.missing_rows),
        desc=batches.source.name,
        unit=" images",
        mininterval=0.5,
        disable=not progress,
    )


class MissingUnit(NamedTuple):
    """What is to be described of a unit.

    Attributes:
        rows: Ascending.
        is_whole: Whether these are all rows of the unit.
    """

    rows: np.ndarray
    is_whole: bool


def missing_units(
    batches: BatchReader, store: DescriptorStore
) -> Iterator[MissingUnit]:
    """Yields what a store misses of each unit: so many batches, one after another."""
    plan = batches.plan(store.rows)
    ends = np.cumsum(plan.batch_sizes)[_BATCHES_OF_UNIT - 1 :: _BATCHES_OF_UNIT]
    for unit in np.split(plan.record_ids, ends):
        rows = store.missing_of(np.sort(unit))
        if len(rows):
            yield MissingUnit(rows, len(rows) == len(unit))


def _next_units(units: deque[MissingUnit]) -> list[np.ndarray]:
    """Takes whole units, or what is left of one.

    The batches of whole units are those of each; a rest has its own.
    """
    taken = [units.popleft()]
    while taken[0].is_whole and units and units[0].is_whole:
        taken.append(units.popleft())
        if len(taken) == _UNITS_AT_ONCE:
            break
    return [unit.rows for unit in taken]


@dataclass(eq=False)
class _Loop:
    """Describes units of one source into one store; `skipped` is what could not be."""

    forward: Forward
    descriptor_dim: int
    batches: BatchReader
    store: DescriptorStore
    skip_damaged: bool
    bar: TerminalBar
    skipped: dict[int, str] = field(default_factory=dict)

    def describe(self, units: list[np.ndarray]) -> None:
        """Describes units, all together while nothing is damaged."""
        rest = deque(units)
        while rest:
            damaged = self._describe_rows(np.sort(np.concatenate(rest)))
            if not damaged:
                return
            while rest and not np.isin(damaged, rest[0]).all():
                self.finish(rest.popleft())  # up to a batch of it may be left
            self.finish(rest.popleft())

    def finish(self, unit: np.ndarray) -> None:
        """Describes what is left of one unit."""
        while True:
            rows = np.setdiff1d(self.store.missing_of(unit), list(self.skipped))
            if not len(rows) or not self._describe_rows(rows):
                return

    def _describe_rows(self, rows: np.ndarray) -> list[int]:
        """Describes rows up to some that cannot be, which it returns."""
        damaged = _describe_rows(
            self.forward, self.descriptor_dim, self.batches, self.store, rows, self.bar
        )
        if damaged is None:
            return []
        error, bad_rows = damaged
        if not self.skip_damaged:
            raise error
        self.skipped |= dict.fromkeys(bad_rows, str(error))
        self.bar.update(len(bad_rows))
        return bad_rows


def _describe_rows(
    forward: Forward,
    descriptor_dim: int,
    batches: BatchReader,
    store: DescriptorStore,
    rows: np.ndarray,
    bar: TerminalBar,
) -> tuple[ValueError, list[int]] | None:
    """Describes rows up to one that is damaged, which it returns with the error."""
    described = np.empty(0, np.int64)
    try:
        for images, described in batches.iterate(rows):
            descriptors = forward(images)
            _check(descriptors, descriptor_dim, batches.source.keys, described)
            store.write(described, descriptors)
            bar.update(len(described))
    except DamagedImageError as error:
        return error.image.error, [error.image.row]
    except ImageSizeError as error:
        return error, described.tolist()
    finally:
        store.commit()
    return None


def _check(
    descriptors: np.ndarray, descriptor_dim: int, keys: np.ndarray, rows: np.ndarray
) -> None:
    shape = (len(rows), descriptor_dim)
    if descriptors.shape != shape:
        raise DescriptorError(
            f"The encoder must give descriptors of shape {shape}. "
            f"Received: {descriptors.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(descriptors).all(axis=1))
    if len(bad):
        raise DescriptorError(
            "The encoder must give finite descriptors. Received: NaN or infinity for "
            f"{printable(keys[rows[bad[0]]])}. Check its weights, and the precision "
            "(mixed_float16 overflows first)."
        )
