"""A classifier as a folder: `classifier.json` and `classifier.npz`, nothing pickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.classification.cells import cells_of_arrays
from vpr_tf.classification.class_table import ClassTable
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import GroupHead
from vpr_tf.positions import Positions

FORMAT_VERSION = 1
INFO_FILE = "classifier.json"
ARRAYS_FILE = "classifier.npz"
_POSITION_FIELDS = ("east_cm", "north_cm", "utm_zone", "latitude_deg", "longitude_deg")


def save_classifier(classifier: PlaceClassifier, folder: str | Path) -> None:
    """Writes heads and class table; the JSON file, which names the other, last.

    Args:
        classifier: What is written.
        folder: Existing or new folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = classifier.table
    arrays: dict[str, np.ndarray] = {
        f"place/{name}": getattr(table.positions, name) for name in _POSITION_FIELDS
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
    with replace_file(folder / ARRAYS_FILE) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    content = (folder / ARRAYS_FILE).read_bytes()
    write_json(
        folder / INFO_FILE,
        {
            "format_version": FORMAT_VERSION,
            "combine": table.combine,
            "score": classifier.score,
            "heads": [
                {"kind": head.kind, "scale": head.scale, "hidden": len(head.hidden)}
                for head in classifier.heads
            ],
            "sha256": hashlib.sha256(content).hexdigest(),
            "info": classifier.info,
        },
    )


def load_classifier(folder: str | Path) -> PlaceClassifier:
    """Reads what `save_classifier` wrote.

    Raises:
        ClassificationError: A file is missing, damaged or of another format.
    """
    folder = Path(folder)
    info = _read_info(folder / INFO_FILE)
    try:
        content = (folder / ARRAYS_FILE).read_bytes()
        if hashlib.sha256(content).hexdigest() != info["sha256"]:
            raise ValueError("its checksum differs")
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as file:
            arrays = dict(file)
        return PlaceClassifier(
            _table(arrays, info["combine"]),
            tuple(
                _head(_part(arrays, f"head{group}/"), entry)
                for group, entry in enumerate(info["heads"])
            ),
            info["score"],
            info["info"],
        )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ClassificationError(
            f"Cannot read the classifier {folder / ARRAYS_FILE}: {error}. Copy the "
            "folder again, or export it from its run."
        ) from error


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise ClassificationError(
            f"No classifier at {path.parent}: {INFO_FILE} is missing. A run keeps its "
            "heads in best/classifier when `evaluation.method` is classification."
        ) from error
    except ValueError as error:
        raise ClassificationError(f"{path} is not valid JSON: {error}") from error
    version = info.get("format_version") if isinstance(info, dict) else None
    if version != FORMAT_VERSION:
        raise ClassificationError(
            f"{path} must have format_version {FORMAT_VERSION}. Received: {version!r}. "
            "Export the classifier again."
        )
    return info


def _head_arrays(head: GroupHead) -> dict[str, np.ndarray]:
    arrays = {"kernel": head.kernel}
    if head.bias is not None:
        arrays["bias"] = head.bias
    if head.density is not None:
        arrays["density"] = head.density
    for number, (kernel, bias) in enumerate(head.hidden):
        arrays |= {f"hidden{number}/kernel": kernel, f"hidden{number}/bias": bias}
    return arrays


def _head(arrays: dict[str, np.ndarray], entry: dict[str, Any]) -> GroupHead:
    hidden = tuple(
        (arrays[f"hidden{number}/kernel"], arrays[f"hidden{number}/bias"])
        for number in range(entry["hidden"])
    )
    return GroupHead(
        entry["kind"],
        arrays["kernel"],
        arrays.get("bias"),
        float(entry["scale"]),
        hidden,
        arrays.get("density"),
    )


def _table(arrays: dict[str, np.ndarray], combine: str) -> ClassTable:
    place = _part(arrays, "place/")
    return ClassTable(
        Positions(**{name: place[name] for name in _POSITION_FIELDS}),
        place["heading_deg"],
        place["members"],
        place["cell"],
        cells_of_arrays(_part(arrays, "cells/")),
        combine,
    )


def _part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
