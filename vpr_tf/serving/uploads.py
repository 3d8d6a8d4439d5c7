"""The photos and options of a request, in each of the three forms that it may have.

All of it stays in memory, within the limits of the settings: nothing of a query is ever
written to disk. What is too much is refused before it is read.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vpr_tf.printable import printable
from vpr_tf.serving.multipart import (
    MOST_FIELD_BYTES,
    PHOTOS_FIELD,
    MultipartReader,
    too_large_photo,
    too_many_photos,
)
from vpr_tf.serving.options import (
    MOST_NAME,
    LocalizeOptions,
    RawOptions,
    SequenceOptions,
    SharedOptions,
    photo_label,
)
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.settings import ServiceSettings

_Read = TypeVar("_Read")
_MULTIPART, _JSON = "multipart/form-data", "application/json"
_FORMS = "multipart/form-data or application/json"
# A JSON body of more values is not parsed: a few bytes of it become many objects.
_MOST_JSON_VALUES = 10_000
# The rest of a body that is refused is not read.
_NO_MORE = {"Connection": "close"}


@dataclass(frozen=True)
class UploadedPhoto:
    """A photo of a request.

    Attributes:
        name: What it is called in the answer; nothing else is done with it.
        content: The bytes of the file, or base64 of them, which nobody has checked.
    """

    name: str
    content: bytes | str


@dataclass(frozen=True)
class Upload:
    """What a request asks for.

    Attributes:
        photos: At least one.
        options: How they are localized.
    """

    photos: list[UploadedPhoto]
    options: SharedOptions


class JsonPhoto(BaseModel):
    """A photo of a JSON body."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(description="The file, in base64")
    name: str | None = Field(
        None, max_length=MOST_NAME, description="What it is called in the answer"
    )


class JsonUpload(LocalizeOptions):
    """Photos and options of a JSON body."""

    photos: list[JsonPhoto] = Field(min_length=1)


class JsonSequence(SequenceOptions):
    """Photos of one camera and options of a JSON body."""

    photos: list[JsonPhoto] = Field(min_length=1)


class HeldBytes:
    """How much of the bodies of all requests lies in memory.

    Args:
        limit: Most bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self.num_bytes = limit, 0

    def take(self, num_bytes: int) -> None:
        """Counts bytes that arrive; `give_back` them.

        Raises:
            ProblemError: There is no room.
        """
        if self.num_bytes + num_bytes > self._limit:
            raise ProblemError(
                503,
                "Too many photos are being received. Send this one again later.",
                {"Retry-After": "1", **_NO_MORE},
            )
        self.num_bytes += num_bytes

    def give_back(self, num_bytes: int) -> None:
        """Counts bytes that are no longer held."""
        self.num_bytes -= num_bytes


class UploadReader:
    """Reads the body of one request; as a context, counts its bytes while it is open.

    Args:
        request: The request.
        query: Its query parameters, of a photo that is the body; None where photos
            belong together and are sent as parts of it.
        settings: Limits.
        held: Of all requests.
    """

    def __init__(
        self,
        request: Request,
        query: RawOptions | None,
        settings: ServiceSettings,
        held: HeldBytes,
    ) -> None:
        self._request, self._query = request, query
        self._settings, self._held = settings, held
        self._options: type[SharedOptions] = (
            SequenceOptions if query is None else LocalizeOptions
        )
        self._num_bytes = 0

    def __enter__(self) -> UploadReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.give_back(self._num_bytes)

    async def read(self) -> Upload:
        """Reads all of it.

        Raises:
            ProblemError: It is too much, too slow, or no such request.
            RequestValidationError: A field cannot be.
            ClientDisconnect: The client has gone.
        """
        content_type, kind = self._content_type()
        read = {
            _MULTIPART: self._read_multipart,
            _JSON: self._read_json,
        }.get(kind)
        if self._query is not None and kind.startswith("image/"):
            read = functools.partial(self._read_raw, self._query)
        if read is None:
            forms = (
                _FORMS if self._query is None else f"image/jpeg, image/png, {_FORMS}"
            )
            raise ProblemError(
                415, f"A photo is sent as {forms}. Received: {kind[:60]!r}"
            )
        return await self._in_time(read(content_type))

    async def read_form(self, most_field_bytes: int) -> MultipartReader:
        """Reads photos and fields of a multipart body that asks for something else.

        Args:
            most_field_bytes: Of a field that is no photo.

        Raises:
            ProblemError: See `read`.
            ClientDisconnect: See `read`.
        """
        content_type, kind = self._content_type()
        if kind != _MULTIPART:
            raise ProblemError(
                415, f"Send photos as {_MULTIPART}. Received: {kind[:60]!r}"
            )
        return await self._in_time(self._read_form(content_type, most_field_bytes))

    async def read_json(self, most: int) -> bytes:
        """Reads a JSON body that asks for something else.

        Args:
            most: Bytes.

        Raises:
            ProblemError: See `read`.
            ClientDisconnect: See `read`.
        """
        _, kind = self._content_type()
        if kind != _JSON:
            raise ProblemError(415, f"Send {_JSON}. Received: {kind[:60]!r}")
        self._refuse_query()
        return await self._in_time(self._body(most))

    def _content_type(self) -> tuple[str, str]:
        """Returns the header, and the kind that it begins with."""
        content_type = self._request.headers.get("content-type", "")
        encoding = self._request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise ProblemError(
                415, "Photos are taken as they are, not compressed once more."
            )
        return content_type, content_type.partition(";")[0].strip().lower()

    async def _in_time(self, reading: Awaitable[_Read]) -> _Read:
        try:
            async with asyncio.timeout(self._settings.max_upload_s):
                return await reading
        except TimeoutError:
            raise ProblemError(
                408,
                f"The photos took longer than {self._settings.max_upload_s:g} s to "
                "arrive.",
                _NO_MORE,
            ) from None

    async def _read_raw(self, query: RawOptions, content_type: str) -> Upload:
        most = self._settings.max_photo_bytes
        self._refuse_repeated()
        body = bytearray()
        async for chunk in self._chunks(most, too_large_photo(most)):
            body += chunk
        if not body:
            raise ProblemError(400, "The body is empty: send a photo.")
        options = query.model_dump(exclude={"name"})
        photo = UploadedPhoto(photo_label(query.name, 1), bytes(body))
        return Upload([photo], LocalizeOptions(**options))

    async def _read_multipart(self, content_type: str) -> Upload:
        reader = await self._read_form(content_type)
        photos = [
            UploadedPhoto(photo_label(name, number), content)
            for number, (name, content) in enumerate(reader.photos, 1)
        ]
        try:
            return Upload(photos, self._options.model_validate(reader.options))
        except ValidationError as error:
            raise invalid_fields(error) from None

    async def _read_form(
        self, content_type: str, most_field_bytes: int = MOST_FIELD_BYTES
    ) -> MultipartReader:
        self._refuse_query()
        settings = self._settings
        reader = MultipartReader(
            content_type,
            settings.max_photos,
            settings.max_photo_bytes,
            most_field_bytes,
        )
        async for chunk in self._chunks(settings.body_bytes):
            reader.write(chunk)
        reader.finish()
        if not reader.photos:
            raise ProblemError(
                422, f"There are no photos. Send them in the field `{PHOTOS_FIELD}`."
            )
        return reader

    async def _read_json(self, content_type: str) -> Upload:
        self._refuse_query()
        body = await self._body(self._settings.body_bytes)
        return await asyncio.to_thread(self._parse_json, body)

    async def _body(self, most: int) -> bytes:
        body = bytearray()
        async for chunk in self._chunks(most):
            body += chunk
        return bytes(body)

    def _parse_json(self, body: bytes) -> Upload:
        if sum(map(body.count, (b"{", b"[", b","))) > _MOST_JSON_VALUES:
            raise ProblemError(400, "The body has more values than a request needs.")
        try:
            kind: type[JsonUpload | JsonSequence] = (
                JsonSequence if self._query is None else JsonUpload
            )
            sent = kind.model_validate_json(body, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                why = first["msg"].removeprefix("Invalid JSON: ")
                raise ProblemError(400, f"The body is no JSON: {why}") from None
            raise invalid_fields(error) from None
        settings = self._settings
        if len(sent.photos) > settings.max_photos:
            raise too_many_photos(settings.max_photos)
        # Three bytes are four characters.
        most_characters = -(-settings.max_photo_bytes // 3) * 4
        photos = [
            UploadedPhoto(photo_label(one.name, number), _on_one_line(one.data))
            for number, one in enumerate(sent.photos, 1)
        ]
        if max(len(one.content) for one in photos) > most_characters:
            raise too_large_photo(settings.max_photo_bytes)
        options = self._options(**sent.model_dump(exclude={"photos"}))
        return Upload(photos, options)

    async def _chunks(
        self, most: int, refusal: ProblemError | None = None
    ) -> AsyncIterator[bytes]:
        """Yields the body; refuses it as soon as it is too much."""
        if refusal is None:
            refusal = ProblemError(413, f"A request may have {most:,} bytes.")
        refusal.headers |= _NO_MORE
        said = self._request.headers.get("content-length", "")
        if said.isdecimal() and (len(said) > 15 or int(said) > most):
            raise refusal
        async for chunk in self._request.stream():
            self._held.take(len(chunk))
            self._num_bytes += len(chunk)
            if self._num_bytes > most:
                raise refusal
            if chunk:
                yield chunk

    def _refuse_query(self) -> None:
        if self._request.query_params:
            raise ProblemError(
                422,
                "Beside a multipart or JSON body there are no query parameters. Send "
                "them as its fields.",
            )

    def _refuse_repeated(self) -> None:
        query = self._request.query_params
        for name in query:
            if len(query.getlist(name)) > 1:
                raise ProblemError(
                    422, f"{printable(name)[:40]!r} may be given once, as one value."
                )


def _on_one_line(data: str) -> str:
    """Returns base64 without the line breaks that some programs write."""
    return data.replace("\r", "").replace("\n", "")


def invalid_fields(error: ValidationError) -> RequestValidationError:
    """Returns the error of a body whose fields cannot be."""
    errors: list[Any] = [
        {**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)
    ]
    return RequestValidationError(errors)
