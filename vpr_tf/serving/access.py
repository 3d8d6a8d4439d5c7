"""Who may ask what, and how much."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from vpr_tf.serving.key_file import (
    ADMIN,
    Key,
    KeyFileError,
    find_key,
    read_keys,
)
from vpr_tf.serving.metrics import workers_folder
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.rate_limits import REQUEST_COST, RateLimits, retry_after
from vpr_tf.serving.settings import ServiceError, ServiceSettings

_LOG = logging.getLogger("vpr_tf.serving")
_BEARER = HTTPBearer(
    auto_error=False, description="A key of `vpr keys add`, if the service has keys"
)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="vpr_tf"'}
_LONGEST_KEY = 200


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        key: Of the caller; None where the service has no keys.
    """

    key: Key | None


class Access:
    """The keys of a service, read again when their file changes.

    Without a file whoever reaches the service may ask, and nobody may change an index;
    no rates are limited then: only this machine can ask, and the queue is bounded.

    Args:
        settings: Of the service.

    Raises:
        ServiceError: The file of keys cannot be used.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._path = settings.key_file
        self._limits = RateLimits(workers_folder())
        self._keys: list[Key] = []
        self._version: tuple[int, int, int] | None = None
        if self._path is not None:
            try:
                self._refresh(self._path)
            except KeyFileError as error:
                raise ServiceError(str(error)) from error

    def admit(self, role: str, sent: str | None, *, num_photos: int = 0) -> Caller:
        """Returns who sent a request, after a look at key, role and rate.

        Args:
            role: That it needs.
            sent: The key that came with it.
            num_photos: That it has at least, see `take_photos`.

        Raises:
            ProblemError: 401, 403, 429, or 503 while the keys cannot be read.
        """
        if self._path is None:
            if role == ADMIN:
                raise ProblemError(
                    403,
                    "Nobody may do this while the service has no keys. Make one by "
                    "`vpr keys add --file keys.json --name NAME --role admin`, and "
                    "start the service with `--keys keys.json`.",
                )
            return Caller(None)
        key = self._find(self._path, sent)
        if key.role not in (role, ADMIN):
            raise ProblemError(
                403, f"This needs a key of the role {role}. Received: {key.role}."
            )
        self._take(key, REQUEST_COST, least=num_photos)
        return Caller(key)

    def take_photos(self, caller: Caller, num_photos: int) -> None:
        """Counts photos of an admitted request, instead of the request itself.

        Raises:
            ProblemError: 429: the key has sent too many; this request is not counted.
        """
        if caller.key is not None:
            self._take(caller.key, num_photos, given_back=REQUEST_COST)

    def give_back_photos(self, caller: Caller, num_photos: int) -> None:
        """Counts photos no longer, which the service could not take."""
        if caller.key is not None:
            self._limits.take(caller.key, 0, given_back=num_photos)

    def _take(
        self, key: Key, cost: float, *, least: float = 0, given_back: float = 0
    ) -> None:
        wait_s = self._limits.take(key, cost, least=least, given_back=given_back)
        if wait_s:
            seconds = retry_after(wait_s)
            raise ProblemError(
                429,
                f"This key may send {key.photos_per_minute:g} photos a minute. Try "
                f"again in {seconds} s.",
                {"Retry-After": seconds},
            )

    def _find(self, path: Path, sent: str | None) -> Key:
        try:
            self._refresh(path)
        except KeyFileError as error:
            # A key that was to be removed may be among the former ones.
            _LOG.error("%s", error)
            self._version = None
            raise ProblemError(
                503, "The service cannot read its keys. Its log says why."
            ) from error
        known = sent is not None and len(sent) <= _LONGEST_KEY
        key = find_key(self._keys, sent) if known and sent else None
        if key is None:
            raise ProblemError(
                401,
                "This needs a key: send the header `Authorization: Bearer KEY`."
                if sent is None
                else "The key that was sent is not known: it was removed, or is not as "
                "`vpr keys add` showed it. Ask whoever runs the service for one.",
                _CHALLENGE,
            )
        return key

    def _refresh(self, path: Path) -> None:
        version = None
        with contextlib.suppress(OSError):  # which reading explains
            status = path.stat()
            version = status.st_mtime_ns, status.st_size, status.st_ino
        if version is None or version != self._version:
            self._keys, self._version = read_keys(path), version


def access_of(request: Request) -> Access:
    """Returns what knows the keys of the service that answers a request."""
    access: Access = request.app.state.access
    return access


def needs(role: str, *, num_photos: int = 0) -> Callable[..., Awaitable[Caller]]:
    """Returns a dependency: the caller, whose key has a role.

    Args:
        role: `query`, `metrics` or `admin`; a key of the last has them all.
        num_photos: That requests have at least: keys that may send fewer now are
            refused before the photos are read.

    Example:
        >>> from fastapi import APIRouter, Depends
        >>> from vpr_tf.serving.access import needs
        >>> router = APIRouter(dependencies=[Depends(needs("query"))])
    """

    async def admitted(
        request: Request,
        sent: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> Caller:
        is_one = len(request.headers.getlist("authorization")) == 1
        key = sent.credentials if sent and is_one else None
        caller = access_of(request).admit(role, key, num_photos=num_photos)
        request.state.caller = caller
        return caller

    return admitted


def take_photos(request: Request, num_photos: int) -> None:
    """Counts the photos of an admitted request against the rate of its key.

    Raises:
        ProblemError: See `Access.take_photos`.
    """
    access_of(request).take_photos(request.state.caller, num_photos)


@contextlib.contextmanager
def counted_photos(request: Request, num_photos: int) -> Iterator[None]:
    """Counts photos as `take_photos` does, but not if the service cannot take them.

    Raises:
        ProblemError: See `Access.take_photos`.
    """
    take_photos(request, num_photos)
    try:
        yield
    except ProblemError as problem:
        if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
            access_of(request).give_back_photos(request.state.caller, num_photos)
        raise
