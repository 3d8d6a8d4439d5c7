"""Measures ways to search an index, and tells it to use the fastest good one."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.place_index import set_settings
from vpr_tf.place_index.tuning.candidates import Candidate, candidates_of
from vpr_tf.place_index.tuning.database import TunedDatabase
from vpr_tf.place_index.tuning.figure import draw_pareto
from vpr_tf.place_index.tuning.measurement import (
    RECALL_VALUES,
    Measurement,
    fastest,
    settings_key,
)
from vpr_tf.place_index.tuning.queries import Truth, TuningQueries
from vpr_tf.place_index.tuning.results import TuningResults
from vpr_tf.place_index.tuning.trial import Trial, run_trial
from vpr_tf.search import RetrievalError

FIGURE_FILE = "pareto.png"
_UNFINISHED = "unfinished"


@dataclass(frozen=True)
class TuningOptions:
    """How an index is tuned.

    Attributes:
        min_recall: Share of the true nearest that must be found.
        recall_at: Of how many nearest, one of `RECALL_VALUES`.
        kinds: Of index to try besides `exact`.
        budget_s: Seconds after which no further structure is begun; None: no limit.
        change_index: Whether the index is told to use what was chosen.
    """

    min_recall: float = 0.99
    recall_at: int = 1
    kinds: tuple[str, ...] = ("scann",)
    budget_s: float | None = None
    change_index: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.min_recall <= 1:
            raise ValueError(
                "`min_recall` must be above 0 and at most 1. Received: "
                f"{self.min_recall}"
            )
        if self.recall_at not in RECALL_VALUES:
            raise ValueError(
                f"`recall_at` must be one of {RECALL_VALUES}. Received: "
                f"{self.recall_at}"
            )
        unknown = set(self.kinds) - {"exact", "scann", "milvus"}
        if unknown:
            raise ValueError(
                "`kinds` must be of exact, scann, milvus. Received: "
                f"{', '.join(sorted(unknown))}"
            )


@dataclass(frozen=True)
class TuningReport:
    """What tuning found.

    Attributes:
        measurements: Of all settings.
        chosen: The fastest with enough recall.
        failed: Names and reasons of structures that could not be measured.
        skipped: Structures for which the time did not suffice.
        changed: Whether the index was changed.
        folder: Of results and figure.
    """

    measurements: list[Measurement]
    chosen: Measurement
    failed: dict[str, str]
    skipped: list[str]
    changed: bool
    folder: Path


def tune(
    index_folder: str | Path,
    queries: Callable[[TunedDatabase], TuningQueries],
    options: TuningOptions,
    *,
    output: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> TuningReport:
    """Measures, draws, and sets the fastest settings with enough recall.

    Each structure is built and measured in a process of its own. The index stays as
    it is until all is measured; an interrupted run continues when it is run again.

    Args:
        index_folder: The index.
        queries: Makes the queries of the database.
        options: What to try and to choose.
        output: Folder of results and figure; None: `tuning` in the index.
        progress: Told what is being done; None prints to stderr.

    Raises:
        IndexMismatchError: There is no index, or it is damaged.
        RetrievalError: It was changed meanwhile, or cannot be written.
    """
    say = progress or _print
    folder = Path(output) if output else Path(index_folder) / "tuning"
    database = TunedDatabase.open(Path(index_folder))
    asked = queries(database)
    folder.mkdir(parents=True, exist_ok=True)
    results = TuningResults(
        folder,
        {
            "descriptors": database.fingerprint,
            "queries": asked.fingerprint,
            "origin_of_queries": asked.origin,
            "num_photos": len(database.descriptors),
        },
    )
    candidates = candidates_of(options.kinds, *database.descriptors.shape)
    campaign = _Campaign(database, asked, results, folder / _UNFINISHED, say)
    campaign.run(candidates, options.budget_s)
    measurements = campaign.measurements
    chosen = fastest(measurements, options.recall_at, options.min_recall)
    if chosen is None:
        raise RetrievalError("Not even exact search could be measured; see above.")
    draw_pareto(
        measurements,
        chosen,
        folder / FIGURE_FILE,
        recall_at=options.recall_at,
        min_recall=options.min_recall,
        title=f"{len(database.descriptors):,} photos, {database.descriptors.shape[1]} "
        f"values each; {asked.origin}",
    )
    changed = options.change_index and _set(database, chosen, say)
    results.write(chosen)
    return TuningReport(
        measurements, chosen, campaign.failed, campaign.skipped, changed, folder
    )


class _Campaign:
    """Measures candidates one after the other."""

    def __init__(
        self,
        database: TunedDatabase,
        queries: TuningQueries,
        results: TuningResults,
        work: Path,
        say: Callable[[str], None],
    ) -> None:
        self._database = database
        self._queries = queries
        self._results = results
        self._work = work
        self._say = say
        self._truth: Truth | None = None
        self.measurements: list[Measurement] = []
        self.failed: dict[str, str] = {}
        self.skipped: list[str] = []

    def run(self, candidates: list[Candidate], budget_s: float | None) -> None:
        """Measures all, as far as the time suffices; exact search always."""
        started = time.monotonic()
        for number, candidate in enumerate(candidates, 1):
            name = f"[{number}/{len(candidates)}] {candidate.name}"
            known = self._results.of(candidate)
            spent = time.monotonic() - started
            if known is not None:
                self._say(f"{name}: measured before")
                self.measurements += known
            elif budget_s is not None and spent > budget_s and self.measurements:
                self.skipped.append(candidate.name)
            else:
                self._measure(candidate, name)
        if self.skipped:
            self._say(
                f"After {budget_s:g} s not measured any more: "
                f"{', '.join(self.skipped)}. The same command goes on with them."
            )

    def _measure(self, candidate: Candidate, name: str) -> None:
        def progress(text: str) -> None:
            self._say(f"{name}: {text}")

        trial = Trial(
            self._database.folder,
            self._database.manifest.generation,
            candidate,
            self._exact_truth(),
            self._work,
        )
        try:
            _empty_folder(self._work)
            found = run_trial(trial, progress)
        except (ValueError, ImportError) as error:
            self.failed[candidate.name] = str(error)
            progress(f"left out: {error}")
            return
        finally:
            shutil.rmtree(self._work, ignore_errors=True)
        self._results.add(candidate, found)
        self.measurements += found

    def _exact_truth(self) -> Truth:
        if self._truth is None:
            self._say(f"Exact search of {self._queries.origin}")
            self._truth = Truth.of(
                self._database.descriptors, self._queries, max(RECALL_VALUES)
            )
        return self._truth


def _set(
    database: TunedDatabase, chosen: Measurement, say: Callable[[str], None]
) -> bool:
    """Tells the index what to use; does nothing where it does so already."""
    segments = database.manifest.segments
    used = [settings_key(part.kind, part.settings) for part in segments]
    if used == [settings_key(chosen.kind, chosen.settings)]:
        return False
    say(f"Building {chosen.name} in the index")
    # The index may have been changed since; what was chosen still holds for it.
    set_settings(database.folder, chosen.kind, chosen.settings or None)
    return True


def _empty_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
