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
        search: `exact` or `approximate`; `heads` where places are predicted.
        num_queries: Queries, those of unknown position included.
        num_database: Database images, or places that heads know.
        method: `evaluation.method`.
    """

    set_name: str
    dataset_fingerprint: str
    encoder_fingerprint: str
    encoder: str
    preprocessing: str
    search: str
    num_queries: int
    num_database: int
    method: str = "retrieval"

    @property
    def of_places(self) -> bool:
        """Whether places are predicted, without a database."""
        return self.method == "classification"

    @property
    def symbol(self) -> str:
        """What recall is called: R, or LR when places are predicted."""
        return "LR" if self.of_places else "R"

    @property
    def known(self) -> str:
        """What predictions are chosen from, for people: `1,428 database images`."""
        what = "places" if self.of_places else "database images"
        return f"{self.num_database:,} {what}"
