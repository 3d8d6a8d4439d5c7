"""What papers and repositories state for a protocol: `published.yaml` beside this."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("published.yaml")


@dataclass(frozen=True)
class PublishedRecall:
    """A method's recall on a protocol.

    Attributes:
        method: Its name, for people.
        protocol: Of `vpr_tf.config.PROTOCOLS`.
        recalls: Percent by N.
        source: Who states it.
    """

    method: str
    protocol: str
    recalls: Mapping[int, float]
    source: str


@functools.cache
def published_recalls() -> tuple[PublishedRecall, ...]:
    """Returns all stated recalls, in the order of the file."""
    found = []
    for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8")):
        values_of_n = entry.get("at", [1])
        for method, values in entry["methods"].items():
            for protocol, value in zip(entry["protocols"], values, strict=True):
                stated = value if isinstance(value, list) else [value]
                recalls = dict(zip(values_of_n, stated, strict=True))
                found.append(
                    PublishedRecall(method, protocol, recalls, entry["source"])
                )
    return tuple(found)


def published_on(protocol: str) -> list[PublishedRecall]:
    """Returns what is stated for a protocol, the best R@1 first."""
    own = [one for one in published_recalls() if one.protocol == protocol]
    return sorted(own, key=lambda one: -one.recalls[1])
