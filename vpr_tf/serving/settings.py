"""What a service is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vpr_tf.config import RerankOverride

_BODY_BYTES = 100_000_000
_WRAPPING_BYTES = 1_000_000


class ServiceError(ValueError):
    """A service cannot be started as it was asked for."""


@dataclass(frozen=True)
class ServiceSettings:
    """What a service is started with.

    Attributes:
        indexes: Index folders by the names that requests use; the first is searched
            where a request names none.
        photos: Folder of the database photos, by whose names thumbnails are shown; None
            to show none.
        key_file: Hashed keys of users, see `vpr keys`; None lets everyone on this
            machine ask, and nobody change an index.
        public_key: Of whoever must have signed the indexes; None to not ask.
        encoder_url: Of a TF Serving that computes descriptors; None to compute here.
        engine: What computes descriptors here; None for that of the index.
        tiles: Address of map tiles with {z}, {x} and {y}; None to draw the streets of
            the index.
        tiles_attribution: Whom the map is from, shown on it.
        hosts: Names that the service answers to, besides this machine's own (localhost)
            and the address that it listens at.
        rerank: What is said of re-ranking instead of the indexes; it needs `photos`.
        max_photo_bytes: Of one photo.
        max_photos: Of one request.
        max_body_bytes: Of one request, all its photos and how they are wrapped; None
            for 100 MB, or what the largest photo needs.
        max_held_bytes: Of the photos of all requests that are held in memory.
        max_upload_s: A request whose photos take longer to arrive is ended.
        max_pixels: Of one photo.
        max_requests: At a time, in each process; more are refused.
        max_encoded_pixels: Of one photo as the encoder gets it: a strip is enlarged
            until its shorter side fits, and some encoders get photos as they are. Ten
            times as many as photos usually have there; memory and time grow with it.
        max_queued: Photos that wait for the encoder or are being described.
        max_wait_s: A photo that would wait longer is refused at once.
        batch_wait_ms: How long the encoder waits for more photos.
        batch_size: Photos that are described together.
        num_decoders: Processes that decode photos.
        max_decode_s: A photo that takes longer to decode is refused.
        max_describe_s: Photos that the encoder describes together, and that take
            longer, are refused; it gets no others until it has ended.
    """

    indexes: Mapping[str, Path]
    photos: Path | None = None
    key_file: Path | None = None
    public_key: str | None = None
    encoder_url: str | None = None
    engine: str | None = None
    tiles: str | None = None
    tiles_attribution: str = ""
    hosts: tuple[str, ...] = ()
    rerank: RerankOverride = field(default_factory=RerankOverride)
    max_photo_bytes: int = 20_000_000
    max_photos: int = 20
    max_body_bytes: int | None = None
    max_held_bytes: int = 1_000_000_000
    max_upload_s: float = 60.0
    max_pixels: int = 100_000_000
    max_requests: int = 512
    max_encoded_pixels: int = 4_000_000
    max_queued: int = 64
    max_wait_s: float = 5.0
    batch_wait_ms: float = 5.0
    batch_size: int = 16
    num_decoders: int = 1
    max_decode_s: float = 10.0
    max_describe_s: float = 60.0

    def __post_init__(self) -> None:
        if not self.indexes:
            raise ServiceError(
                "A service needs an index. Received: none. Pass --index DIR."
            )
        if self.max_photos > self.max_queued:
            raise ServiceError(
                "The photos of one request must find room where photos wait: "
                "--max-queued must be at least --max-photos. Received: "
                f"{self.max_queued} and {self.max_photos}. Raise --max-queued or lower "
                "--max-photos."
            )

    @property
    def body_bytes(self) -> int:
        """What `max_body_bytes` says; base64 makes four bytes of three."""
        if self.max_body_bytes is not None:
            return self.max_body_bytes
        return max(_BODY_BYTES, self.max_photo_bytes * 4 // 3 + _WRAPPING_BYTES)
