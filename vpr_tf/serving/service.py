"""What is open while a service runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from fastapi import Request

from vpr_tf.place_index import IndexState, PlaceIndex
from vpr_tf.serving.index_changes import IndexChanges
from vpr_tf.serving.kept_answers import KeptAnswers
from vpr_tf.serving.localizing import PhotoLocalizer
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.settings import ServiceSettings


class Service:
    """The open indexes of a service.

    Args:
        settings: See there.

    Attributes:
        settings: See above.
        indexes: By name; the first is the default.
        localizer: Localizes photos by them.
        is_ready: Whether requests can be answered.
        kept: Answers about the indexes.
        pictures: Small pictures of their photos.
        changes: Changes the indexes.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.indexes: dict[str, PlaceIndex] = {}
        self.is_ready = False
        self.kept = KeptAnswers(max_pending=16)
        self.pictures = KeptAnswers(max_pending=200, at_a_time=2)
        self.changes = IndexChanges()

    async def __aenter__(self) -> Self:
        self.localizer = PhotoLocalizer(self.settings)
        try:
            await self.localizer.start()
            for name, folder in self.settings.indexes.items():
                index = await asyncio.to_thread(
                    PlaceIndex.open, folder, key=self.settings.public_key
                )
                self.indexes[name] = index
                await self.localizer.open(name, index)
        except BaseException:
            await self._close()
            raise
        self.is_ready = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self.is_ready = False
        await self.changes.close()
        await self.localizer.close()
        for index in self.indexes.values():
            index.close()

    def index(self, name: str | None = None) -> tuple[str, PlaceIndex]:
        """Returns an index and its name.

        Raises:
            ProblemError: There is none of this name.
        """
        if name is None:
            name = next(iter(self.indexes))
        if name not in self.indexes:
            raise ProblemError(
                404,
                f"There is no index {name!r}. This service has "
                f"{', '.join(map(repr, self.indexes))}.",
            )
        return name, self.indexes[name]

    async def state(self, name: str | None = None) -> tuple[str, IndexState]:
        """Returns the state of an index that requests are answered with, and its name.

        Raises:
            ProblemError: There is none of this name, or it is damaged.
        """
        name, _ = self.index(name)
        return name, await self.localizer.state(name)


async def service_of(request: Request) -> Service:
    """Returns the service that answers a request; for `Depends`.

    It waits for nothing; FastAPI would call a plain function in a thread, for which a
    refusal would wait while all cores compute.
    """
    service: Service = request.app.state.service
    return service
