"""What was measured on what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """What was measured on what; it stands beside every table.

    Attributes:
        set_name: Evaluation set, e.g. `test`.
        dataset_fingerprint: Hash over the dataset's shards.
        encoder_fingerprint: Hash over the encoder's architecture and weights.
        encoder: The encoder, for people.
        preprocessing: How images are prepared, for people: `square 224, float32`.
        search: `exact` or `approximate`.
        num_queries: Queries, those of unknown position included.
        num_database: Database images.
    """

    set_name: str
    dataset_fingerprint: str
    encoder_fingerprint: str
    encoder: str
    preprocessing: str
    search: str
    num_queries: int
    num_database: int
