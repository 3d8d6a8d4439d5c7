"""What a protocol makes of an evaluation: which queries count, and what is doubtful."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from vpr_tf.config import (
    PROTOCOLS,
    STANDARD,
    ConfigError,
    EvaluationConfig,
    Preprocessing,
    Protocol,
)
from vpr_tf.config.rules import did_you_mean
from vpr_tf.geo import UNKNOWN_ZONE
from vpr_tf.photos import PhotoTable


def protocol_of(config: EvaluationConfig, set_name: str) -> Protocol:
    """Returns what recall means on a set: that of the config is of test sets.

    On `val` models are chosen, by no protocol of others.
    """
    return PROTOCOLS[STANDARD] if set_name == "val" else config.rule_of(set_name)


def check_protocol_sets(config: EvaluationConfig, test_sets: Collection[str]) -> None:
    """Checks that `evaluation.protocol` names test sets that there are.

    Raises:
        ConfigError: It names another one.
    """
    if not isinstance(config.protocol, Mapping):
        return
    for name in config.protocol:
        if name not in test_sets:
            raise ConfigError(
                f"`evaluation.protocol` has {name!r}, and the dataset no such test set"
                f"{did_you_mean(name, test_sets)} It has: "
                f"{', '.join(test_sets) or 'none'}. Name these alone."
            )


def dropped_queries(protocol: Protocol, num_positives: np.ndarray) -> np.ndarray:
    """Returns which queries a protocol leaves out, bool `(num_queries,)`.

    Args:
        protocol: The rule.
        num_positives: Of each query; -1 where its position is unknown.
    """
    return protocol.drops_unmatched & (num_positives == 0)


def counted_queries(queries: PhotoTable, dropped: np.ndarray) -> PhotoTable:
    """Returns queries of which those that are dropped have no position.

    So nothing that is judged by positions counts them.
    """
    positions = queries.positions
    counted = dataclasses.replace(
        positions,
        utm_zone=np.where(dropped, UNKNOWN_ZONE, positions.utm_zone),
        latitude_deg=np.where(dropped, 0.0, positions.latitude_deg),
        longitude_deg=np.where(dropped, 0.0, positions.longitude_deg),
    )
    return dataclasses.replace(queries, positions=counted)


def count_warnings(
    protocol: Protocol, num_counted: int, num_database: int | None
) -> list[str]:
    """Returns why numbers are not those of the protocol, by what was measured on.

    Args:
        protocol: What the numbers are said to be of.
        num_counted: See `Protocol.differing_counts`.
        num_database: Likewise.
    """
    return [
        f"the protocol {protocol.name} ({protocol.sets}) has "
        f"{' or '.join(f'{count:,}' for count in stated)} {what}, this "
        f"set has {found:,}: its recalls are not comparable with others of the "
        "protocol. Look at the set, and at `evaluation.protocol`."
        for what, stated, found in protocol.differing_counts(num_counted, num_database)
    ]


def size_warnings(protocol: Protocol, preprocessing: Preprocessing) -> list[str]:
    """Returns why numbers are not those of the protocol, by the size of photos."""
    side = protocol.shorter_side_px
    if side is None or preprocessing.resize != "native":
        return []
    return [
        f"the protocol {protocol.name} makes the shorter side of photos {side} pixels, "
        "and they were taken in their own size: set evaluation.resize=shorter_side "
        f"evaluation.image_size={side}, unless they are that small."
    ]
