"""What a Milvus index can be told."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

INDEX_TYPES = ("FLAT", "HNSW", "IVF_FLAT", "AUTOINDEX")
_FLAT_BELOW = 5_000
_HNSW_PARAMS = {"M": 16, "efConstruction": 200}
_HNSW_EF = 128
_IVF_LISTS_PER_SQRT = 4
_IVF_SEARCHED_FRACTION = 1 / 16


@dataclass(frozen=True)
class MilvusSettings:
    """How descriptors are stored and searched in Milvus.

    Attributes:
        uri: Address of a cluster, e.g. `http://host:19530`; None embeds Milvus in this
            process. Its token is read from the environment, never written.
        collection: Start of the collection's name on a cluster; the fingerprint of the
            descriptors and settings follows.
        index_type: One of `INDEX_TYPES`; only FLAT is exact.
        params: Of building: HNSW `M`, `efConstruction`; IVF_FLAT `nlist`.
        search_params: Of searching: HNSW `ef`; IVF_FLAT `nprobe`.
        metric: L2; there is no other.
        batch: Rows a request of building.
    """

    uri: str | None = None
    collection: str = "vpr_tf"
    index_type: str = "HNSW"
    params: dict[str, Any] = field(default_factory=dict)
    search_params: dict[str, Any] = field(default_factory=dict)
    metric: str = "L2"
    batch: int = 2000

    def __post_init__(self) -> None:
        if self.index_type not in INDEX_TYPES:
            raise ValueError(
                f"`index_type` must be one of {', '.join(INDEX_TYPES)}. "
                f"Received: {self.index_type!r}"
            )
        if self.metric != "L2":
            raise ValueError(f"`metric` must be L2. Received: {self.metric!r}")
        if isinstance(self.batch, bool) or self.batch < 1:
            raise ValueError(f"`batch` must be 1 or more. Received: {self.batch}")
        if not self.collection.isidentifier() or not self.collection.isascii():
            raise ValueError(
                "`collection` must be ASCII letters, digits and underscores. "
                f"Received: {self.collection!r}"
            )
        if self.uri is not None:
            _check_uri(self.uri)

    @classmethod
    def from_dict(cls, settings: dict[str, Any], num_images: int) -> MilvusSettings:
        """Completes settings by what suits the size of the database.

        Raises:
            ValueError: An unknown name, or a value that cannot be.
        """
        names = {setting.name for setting in dataclasses.fields(cls)}
        unknown = sorted(set(settings) - names)
        if unknown:
            raise ValueError(
                f"A Milvus index has the settings {', '.join(sorted(names))}. "
                f"Received: {', '.join(unknown)}"
            )
        default_type = "FLAT" if num_images < _FLAT_BELOW else "HNSW"
        told = cls(**{"index_type": default_type, **settings})
        params, search_params = _default_params(told.index_type, num_images)
        return dataclasses.replace(
            told,
            params={**params, **told.params},
            search_params={**search_params, **told.search_params},
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all settings, JSON-ready."""
        return dataclasses.asdict(self)


def _default_params(
    index_type: str, num_images: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    if index_type == "HNSW":
        return dict(_HNSW_PARAMS), {"ef": _HNSW_EF}
    if index_type == "IVF_FLAT":
        lists = max(
            1, min(int(_IVF_LISTS_PER_SQRT * num_images**0.5), num_images // 40)
        )
        return {"nlist": lists}, {"nprobe": max(1, int(lists * _IVF_SEARCHED_FRACTION))}
    return {}, {}


def _check_uri(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https", "tcp") or not parts.hostname:
        raise ValueError(
            "`uri` must be the address of a Milvus cluster such as http://host:19530, "
            f"or null for embedded Milvus. Received: {uri!r}"
        )
    if "@" in parts.netloc:
        raise ValueError(
            "`uri` must not hold a user or password: it is written to the index. Put "
            "the token into the environment variable MILVUS_TOKEN."
        )
