"""How the official projects name the parts of their encoders in a state dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Layout:
    """Names of one project.

    Attributes:
        name: Name of the project.
        backbone: What stands before the keys of the backbone.
        aggregation: Module of the aggregation; None if the project's has no weights.
        projection: Module of the linear layer after it; None if there is none.
    """

    name: str
    backbone: str
    aggregation: str | None
    projection: str | None


BARE_BACKBONE = Layout("backbone alone", "", None, None)
# EigenPlaces has CosPlace's names.
COSPLACE = Layout("cosplace", "backbone.", "aggregation.1", "aggregation.3")
DIVIDE_AND_CLASSIFY = Layout("divide_and_classify", "backbone.", None, "classifier.0")
MEGALOC = Layout("megaloc", "backbone.", "aggregator.agg", "aggregator.linear")
# SALAD's and MixVPR's.
MODEL_AND_AGGREGATOR = Layout("salad", "backbone.model.", "aggregator", None)

# NetVLAD's in the deep visual geo-localization benchmark, whose backbones have the
# names that CosPlace took over; without and with a linear layer.
NETVLAD = Layout("cosplace", "backbone.", "aggregation", None)
NETVLAD_AND_LINEAR = Layout("cosplace", "backbone.", "aggregation.0", "aggregation.1")

LAYOUTS = (COSPLACE, DIVIDE_AND_CLASSIFY, MEGALOC, MODEL_AND_AGGREGATOR)

# Keys that only one project has, most telling first.
_SIGNS = (
    ("aggregator.agg.", MEGALOC),
    ("aggregation.conv.", NETVLAD),
    ("aggregation.0.conv.", NETVLAD_AND_LINEAR),
    ("backbone.model.", MODEL_AND_AGGREGATOR),
    ("aggregation.", COSPLACE),
    ("classifier.0.", DIVIDE_AND_CLASSIFY),
    ("backbone.", COSPLACE),
)


def without_parallel_prefix(state_dict: Mapping[str, _Value]) -> dict[str, _Value]:
    """Drops the `module.` that torch's DataParallel puts before every name."""
    prefixed = all(name.startswith("module.") for name in state_dict)
    return {
        name.removeprefix("module.") if prefixed else name: value
        for name, value in state_dict.items()
    }


def detect_layout(keys: Iterable[str]) -> Layout:
    """Finds the project that wrote a state dict.

    Args:
        keys: Names in the state dict.

    Returns:
        `BARE_BACKBONE` when no key has a prefix of an encoder's part.
    """
    keys = list(keys)
    # A bare torchvision classifier is called `classifier.*` as well.
    if not any(key.startswith("backbone.") for key in keys):
        encoder_parts = ("aggregation.", "aggregator.")
        if not any(key.startswith(encoder_parts) for key in keys):
            return BARE_BACKBONE
    for sign, layout in _SIGNS:
        if any(key.startswith(sign) for key in keys):
            return layout
    return MODEL_AND_AGGREGATOR
