"""A classifier as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.classification.cells import cells_of_arrays
from vpr_tf.classification.class_table import ClassTable
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import GroupHead
from vpr_tf.classification.hidden_layers import hidden_arrays, hidden_of_arrays
from vpr_tf.classification.saved_arrays import damaged, part, read_arrays, write_arrays
from vpr_tf.geo import Positions

KIND = "classes"
# As files have named the fields of `Positions` from the first.
_POSITION_FIELDS = {
    "east_cm": "utm_east_cm",
    "north_cm": "utm_north_cm",
    "utm_zone": "utm_zone",
    "latitude_deg": "latitude_deg",
    "longitude_deg": "longitude_deg",
}


def save_classifier(classifier: PlaceClassifier, folder: str | Path) -> None:
    """Writes heads and class table.

    Args:
        classifier: What is written.
        folder: Existing or new folder.
    """
    table = classifier.table
    arrays: dict[str, np.ndarray] = {
        f"place/{name}": getattr(table.positions, field)
        for name, field in _POSITION_FIELDS.items()
    }
    arrays |= {
        "place/heading_deg": table.heading_deg,
        "place/members": table.members,
        "place/cell": table.cell,
    }
    arrays |= {f"cells/{name}": value for name, value in table.cells.arrays().items()}
    for group, head in enumerate(classifier.heads):
        arrays |= {
            f"head{group}/{name}": value for name, value in _head_arrays(head).items()
        }
    content = {
        "kind": KIND,
        "combine": table.combine,
        "score": classifier.score,
        "heads": [
            {"kind": head.kind, "scale": head.scale} for head in classifier.heads
        ],
        "info": classifier.info,
    }
    write_arrays(Path(folder), arrays, content)


def load_classifier(folder: str | Path) -> PlaceClassifier:
    """Reads what `save_classifier` wrote.

    Raises:
        ClassificationError: A file is missing, damaged or of another format.
    """
    folder = Path(folder)
    arrays, content = read_arrays(folder)
    if content.get("kind") != KIND:
        raise ClassificationError(
            f"{folder} must hold heads of classes. Received: {content.get('kind')!r}. "
            "Regressions have no cells."
        )
    try:
        return PlaceClassifier(
            _table(arrays, content["combine"]),
            tuple(
                _head(part(arrays, f"head{group}/"), entry)
                for group, entry in enumerate(content["heads"])
            ),
            content["score"],
            content["info"],
        )
    except (KeyError, TypeError) as error:
        raise damaged(folder, error) from error


def _head_arrays(head: GroupHead) -> dict[str, np.ndarray]:
    arrays = {"kernel": head.kernel, **hidden_arrays(head.hidden)}
    if head.bias is not None:
        arrays["bias"] = head.bias
    if head.density is not None:
        arrays["density"] = head.density
    return arrays


def _head(arrays: dict[str, np.ndarray], entry: dict[str, Any]) -> GroupHead:
    return GroupHead(
        entry["kind"],
        arrays["kernel"],
        arrays.get("bias"),
        float(entry["scale"]),
        hidden_of_arrays(arrays),
        arrays.get("density"),
    )


def _table(arrays: dict[str, np.ndarray], combine: str) -> ClassTable:
    place = part(arrays, "place/")
    return ClassTable(
        Positions(*(place[name] for name in _POSITION_FIELDS)),
        place["heading_deg"],
        place["members"],
        place["cell"],
        cells_of_arrays(part(arrays, "cells/")),
        combine,
    )
