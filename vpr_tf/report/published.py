"""What papers and repositories state that they measured: `published.yaml` beside this.

Each number stands there once: reports show those of their protocol, and
`python -m benchmarks.papers` those of a paper beside what was measured here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from vpr_tf.config import PROTOCOLS

_FILE = Path(__file__).with_name("published.yaml")
RECALL, PLACE_RECALL = "R", "LR"


@dataclass(frozen=True)
class PublishedRecall:
    """What a method is said to reach on a set.

    Attributes:
        method: Its name, for people.
        protocol: Of `vpr_tf.config.PROTOCOLS`; empty where it is not stated or none.
        recalls: Percent by N.
        source: Who states it.
        data: What it was measured on, for people.
        metric: `R`; `LR`, where places are predicted or beside such; another name
            where it is no recall: then the only N is 1.
        paper: Whose table it is, for `benchmarks.papers`; empty for another one's.
    """

    method: str
    protocol: str
    recalls: Mapping[int, float]
    source: str
    data: str
    metric: str = RECALL
    paper: str = ""


@functools.cache
def published_recalls() -> tuple[PublishedRecall, ...]:
    """Returns all stated numbers, in the order of the file."""
    return tuple(
        published
        for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))
        for published in _of_entry(entry)
    )


def published_on(protocol: str) -> list[PublishedRecall]:
    """Returns the recalls stated for a protocol, the best R@1 first."""
    own = [
        one
        for one in published_recalls()
        if protocol and one.protocol == protocol and one.metric == RECALL
    ]
    return sorted(own, key=lambda one: -one.recalls[1])


def _of_entry(entry: Mapping) -> list[PublishedRecall]:
    values_of_n = entry.get("at", [1])
    protocols = entry.get("protocols") or [""] * len(entry["data"])
    data = entry.get("data") or [PROTOCOLS[name].sets for name in protocols]
    found = []
    for method, values in entry["methods"].items():
        for protocol, photos, value in zip(protocols, data, values, strict=True):
            stated = value if isinstance(value, list) else [value]
            found.append(
                PublishedRecall(
                    method,
                    protocol,
                    dict(zip(values_of_n, stated, strict=True)),
                    entry["source"],
                    photos,
                    entry.get("metric", RECALL),
                    entry.get("paper", ""),
                )
            )
    return found
