"""Places that many share fairly."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable


class FairPlaces:
    """Places at which so many work at a time; whose turn it is goes round.

    A semaphore would let one who waits with many go before all who come later. Here
    each owner who waits gets a place before any gets a second.

    Args:
        num_places: How many there are.

    Example:
        >>> import asyncio
        >>> from vpr_tf.serving.turns import FairPlaces
        >>> async def work(places, owner, done):
        ...     await places.acquire(owner)
        ...     done.append(owner)
        ...     await asyncio.sleep(0)
        ...     places.release()
        >>> async def main():
        ...     places, done = FairPlaces(1), []
        ...     await asyncio.gather(*(work(places, one, done) for one in "aaaab"))
        ...     return "".join(done)
        >>> asyncio.run(main())
        'aabaa'
    """

    def __init__(self, num_places: int) -> None:
        self._num_free = num_places
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = (
            OrderedDict()
        )

    async def acquire(self, owner: Hashable) -> None:
        """Takes a place, when it is the owner's turn; `release` it.

        Args:
            owner: Who waits, such as a request.
        """
        if self._num_free and not self._waiting:
            self._num_free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just got the place
                self.release()
            raise

    def release(self) -> None:
        """Gives back a place: to whoever waits longest since the last turn."""
        self._num_free += 1
        while self._waiting and self._num_free:
            owner, turns = self._waiting.popitem(last=False)
            turns = deque(one for one in turns if not one.done())  # others have left
            if not turns:
                continue
            turns.popleft().set_result(None)
            self._num_free -= 1
            if turns:
                self._waiting[owner] = turns
