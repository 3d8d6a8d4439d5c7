"""Photos and options of a `multipart/form-data` body, which stay in memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from vpr_tf.printable import printable
from vpr_tf.serving.problems import ProblemError

PHOTOS_FIELD = "photos"
_MOST_HEADERS, _MOST_HEADER_BYTES = 8, 1024
_MOST_OPTIONS = 16
MOST_FIELD_BYTES = 1024
# It writes a line for every malformed body, which the answer tells already.
logging.getLogger(python_multipart.__name__).setLevel(logging.ERROR)


@dataclass
class _Part:
    """A part of the body, as far as it was read."""

    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    filename: bytes | None = None
    content: bytearray = field(default_factory=bytearray)


class MultipartReader:
    """Reads a body chunk by chunk, and refuses it as soon as a limit is passed.

    Args:
        content_type: The header, which names the boundary.
        max_photos: Photos of one body.
        max_photo_bytes: Of one photo.
        max_field_bytes: Of anything else.

    Attributes:
        photos: File name, as sent, and content of each.
        options: All else, by name.

    Raises:
        ProblemError: There is no boundary.
    """

    def __init__(
        self,
        content_type: str,
        max_photos: int,
        max_photo_bytes: int,
        max_field_bytes: int = MOST_FIELD_BYTES,
    ) -> None:
        self.photos: list[tuple[bytes | None, bytes]] = []
        self.options: dict[str, str] = {}
        self._max_photos, self._max_photo_bytes = max_photos, max_photo_bytes
        self._max_field_bytes = max_field_bytes
        self._part = _Part()
        self._is_whole = False
        _, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary")
        if not boundary:
            raise ProblemError(400, "The Content-Type names no boundary of its parts.")
        try:
            self._parser = python_multipart.MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._whole,
                },
                max_header_count=_MOST_HEADERS,
                max_header_size=_MOST_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _malformed(error) from error

    def write(self, chunk: bytes) -> None:
        """Reads on.

        Raises:
            ProblemError: The body is malformed, or too much.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed(error) from error

    def finish(self) -> None:
        """Says that the body has ended.

        Raises:
            ProblemError: Its end is missing.
        """
        if not self._is_whole:
            raise ProblemError(400, "The multipart body ends before its last boundary.")

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        part = self._part
        part.headers[bytes(part.header).lower()] = bytes(part.value)
        part.header, part.value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        part = self._part
        if part.headers.get(b"content-transfer-encoding", b"binary").lower() not in (
            *(b"binary", b"8bit", b"7bit"),
        ):
            raise ProblemError(400, "Parts of the body must be sent as they are.")
        _, said = parse_options_header(part.headers.get(b"content-disposition"))
        part.name = said.get(b"name", b"").decode(errors="replace")
        part.filename = said.get(b"filename")
        if part.name == PHOTOS_FIELD:
            if len(self.photos) >= self._max_photos:
                raise too_many_photos(self._max_photos)
        elif part.filename is not None:
            raise ProblemError(
                422,
                f"Photos go into the field `{PHOTOS_FIELD}`. Received: a file in "
                f"{printable(part.name)[:40]!r}",
            )
        elif part.name in self.options or len(self.options) >= _MOST_OPTIONS:
            raise ProblemError(
                422, f"{printable(part.name)[:40]!r} may be given once, as one value."
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.content += memoryview(data)[start:end]
        if part.name == PHOTOS_FIELD:
            if len(part.content) > self._max_photo_bytes:
                raise too_large_photo(self._max_photo_bytes)
        elif len(part.content) > self._max_field_bytes:
            raise ProblemError(422, f"{printable(part.name)[:40]!r} is too long.")

    def _end(self) -> None:
        part, self._part = self._part, _Part()
        if part.name == PHOTOS_FIELD:
            self.photos.append((part.filename, bytes(part.content)))
        else:
            self.options[part.name] = part.content.decode(errors="replace")

    def _whole(self) -> None:
        self._is_whole = True


def too_many_photos(max_photos: int) -> ProblemError:
    """Returns the refusal of a request with too many photos."""
    return ProblemError(
        413, f"A request may have {max_photos} photos. Send the others in another."
    )


def too_large_photo(max_photo_bytes: int) -> ProblemError:
    """Returns the refusal of a photo of too many bytes."""
    return ProblemError(
        413, f"A photo may have {max_photo_bytes:,} bytes. Make it smaller."
    )


def _malformed(error: FormParserError) -> ProblemError:
    return ProblemError(400, f"The multipart body is malformed: {str(error)[:200]}")
