"""What tuning has measured so far, in files beside the index."""

from __future__ import annotations

import csv
import json
import os
import platform
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.place_index.tuning.candidates import Candidate
from vpr_tf.place_index.tuning.measurement import Measurement, settings_key

RESULTS_FILE = "results.json"
TABLE_FILE = "results.csv"
_FORMAT_VERSION = 1


class TuningResults:
    """Measurements of candidates, kept so that interrupted tuning continues.

    Those of other descriptors, queries or machines are forgotten.

    Args:
        folder: Folder of the files.
        conditions: JSON-ready; what the measurements hold for.
    """

    def __init__(self, folder: Path, conditions: dict[str, Any]) -> None:
        self._path = folder / RESULTS_FILE
        self._table = folder / TABLE_FILE
        self._conditions = {**conditions, "machine": machine()}
        self._of_candidate: dict[str, list[dict[str, Any]]] = self._known()

    def of(self, candidate: Candidate) -> list[Measurement] | None:
        """Returns what was measured of a candidate; None if nothing."""
        known = self._of_candidate.get(_key(candidate))
        return None if known is None else [Measurement.from_dict(one) for one in known]

    def add(self, candidate: Candidate, measurements: list[Measurement]) -> None:
        """Keeps measurements of a candidate."""
        found = [one.to_dict() for one in measurements]
        self._of_candidate[_key(candidate)] = found
        self.write(None)

    def write(self, chosen: Measurement | None) -> None:
        """Writes the files; `chosen` is what the index was told to use."""
        write_json(
            self._path,
            {
                "format_version": _FORMAT_VERSION,
                "conditions": self._conditions,
                "chosen": chosen.to_dict() if chosen else None,
                "candidates": self._of_candidate,
            },
        )
        self._write_table()

    def _write_table(self) -> None:
        rows = [one for found in self._of_candidate.values() for one in found]
        with (
            replace_file(self._table) as temporary,
            temporary.open("w", newline="") as file,
        ):
            writer = csv.writer(file)
            for number, row in enumerate(rows):
                recalls = {f"recall_{n}": row["recalls"][n] for n in row["recalls"]}
                flat = {**row, **recalls, "settings": json.dumps(row["settings"])}
                del flat["recalls"]
                if not number:
                    writer.writerow(flat)
                writer.writerow(flat.values())

    def _known(self) -> dict[str, list[dict[str, Any]]]:
        try:
            written = json.loads(self._path.read_text())
            same = written["conditions"] == self._conditions
            if written["format_version"] != _FORMAT_VERSION or not same:
                return {}
            known = written["candidates"]
            for found in known.values():
                for one in found:
                    Measurement.from_dict(one)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return known


def machine() -> str:
    """Describes this computer: times of another one are of no use."""
    return f"{platform.node()}, {platform.machine()}, {os.cpu_count()} CPUs"


def _key(candidate: Candidate) -> str:
    return settings_key(
        candidate.kind, {"build": candidate.settings, "searches": candidate.searches}
    )
