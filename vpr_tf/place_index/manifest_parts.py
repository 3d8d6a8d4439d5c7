"""What a manifest says of the parts of an index."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from vpr_tf.config import Preprocessing
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_values import from_stored


@dataclass(frozen=True)
class EncoderIdentity:
    """The encoder of the descriptors, and how photos are prepared for it.

    Attributes:
        fingerprint: Of architecture and weights; the preprocessing stands apart.
        description: For people.
        descriptor_dim: Length of a descriptor.
        preprocessing: How photos are prepared for it.
        file: Path of the encoder inside the folder of the index; None if the encoder
            is not kept with it.
        engine: What computed the descriptors when the index was built.
    """

    fingerprint: str
    description: str
    descriptor_dim: int
    preprocessing: Preprocessing
    file: str | None = None
    engine: str = "tensorflow"

    def to_dict(self) -> dict[str, Any]:
        """Returns the identity as a manifest has it."""
        content = dataclasses.asdict(self)
        preprocessing, file = content.pop("preprocessing"), content.pop("file")
        if self.engine == "tensorflow":  # as before there were others
            del content["engine"]
        return {**content, **preprocessing, "file": file}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> EncoderIdentity:
        """Reads what `to_dict` gave.

        Raises:
            StoredValueError: A field is missing or of another type.
        """
        names = [field.name for field in dataclasses.fields(Preprocessing)]
        own = {name: value for name, value in content.items() if name not in names}
        preprocessing = {name: content[name] for name in names if name in content}
        return from_stored(cls, {**own, "preprocessing": preprocessing}, "encoder")


@dataclass(frozen=True)
class KeptClassifier:
    """Heads whose best cells are searched.

    Attributes:
        description: For people.
        score: As `ClassificationConfig.score`.
        num_cells: How many cells are searched unless a query says otherwise; None for
            all.
        encoder: The encoder of its descriptors, whose file is relative to the index;
            None if it is that of the index.
        files: By path relative to the index.
    """

    description: str
    score: str
    num_cells: int | None
    encoder: EncoderIdentity | None
    files: dict[str, StoredFile]


@dataclass(frozen=True)
class KeptLocalFeatures:
    """What found the key points that an index keeps of its photos.

    Attributes:
        matcher: As `RerankConfig.matcher`.
        identity: What another must share to use them, see `PhotoMatching`.
        image_size: As `RerankConfig.image_size`.
    """

    matcher: str
    identity: str
    image_size: int


@dataclass(frozen=True)
class RecallReport:
    """How well an index finds what exact search finds, on some stored photos.

    Attributes:
        recall_at_1: Share of the photos whose nearest other photo is found first.
        recall_at_10: Share of the 10 nearest other photos among the first 10 found.
        num_queries: Photos that were searched; 0 for exact indexes, whose recall is 1.
    """

    recall_at_1: float
    recall_at_10: float
    num_queries: int


@dataclass(frozen=True)
class Segment:
    """Photos that were written together.

    Attributes:
        folder: Its path, relative to the index.
        num_rows: Photos.
        kind: Name of the search structure.
        settings: Those of the search structure.
        files: By path, relative to the segment.
    """

    folder: str
    num_rows: int
    kind: str
    settings: dict[str, Any]
    files: dict[str, StoredFile]
