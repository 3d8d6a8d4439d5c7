"""What a second look at candidates gains, and what it costs.

Example:
  python -m benchmarks.rerank --config configs/sf_xs_dark.yaml \\
      --model runs/sf_xs_dark/<time> localization.rerank.weights=xfeat.weights.h5

Prints markdown tables: recall, errors and confidence of a test set without re-ranking,
of queries of low confidence and of all, with the difference of each to the first,
query by query; the same by the confidence of the first look; and how long a photo and a
pair take. Seconds are CPU time of all cores, which other programs disturb least, with
nothing in memory at first. Calibrations are fitted on val. With `--keep DIR` the key
points of the database are written there as an index keeps them, and all queries are
compared by these as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.guarded import guarded
from benchmarks.overrides import parse_with_overrides
from benchmarks.timing import describe_machine
from vpr_tf.config import RERANK_WHEN, ExperimentConfig, load_config
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation.evaluate import find_set
from vpr_tf.evaluation.evaluation import Evaluation
from vpr_tf.evaluation.record_images import read_image
from vpr_tf.evaluation.reranking import SetReranking
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.evaluation.val_calibration import ValCalibration, calibrate_on_val
from vpr_tf.matching import LocalFeatures, PhotoMatching
from vpr_tf.matching.opening import open_matching
from vpr_tf.place_index import extract_local_features
from vpr_tf.place_index.packed_features import FeatureRows
from vpr_tf.report.bootstrap import (
    BootstrapSettings,
    bootstrap_percentages,
    bootstrap_quantiles,
)
from vpr_tf.report.localized_queries import localize_queries
from vpr_tf.tables import Column, Table

_SETTINGS = BootstrapSettings()
_NOWHERE_M = 20e6
_TIMED_PHOTOS, _TIMED_PAIRS = 20, 100


@dataclass(frozen=True, eq=False)
class Looked:
    """The queries of a set after one way to look.

    Attributes:
        found: Whether the first prediction is a positive, 0 or 1, `(num_queries,)`.
        error_m: Of the positions; half of the way around the earth without one.
        localized: Whether the position is given, not withheld.
        num_reranked: Queries that were compared with their candidates.
        cpu_s: Seconds that took.
    """

    found: np.ndarray
    error_m: np.ndarray
    localized: np.ndarray
    num_reranked: int
    cpu_s: float


class StoredMatching(PhotoMatching):
    """Compares photos by key points of the database that are stored.

    Args:
        other: What found them.
        rows: Of the database, in the order of its records.
    """

    def __init__(self, other: PhotoMatching, rows: FeatureRows) -> None:
        super().__init__(other.matcher, image_size=other.image_size)
        self._rows = rows

    def kept_features(self, key: Any, load: Callable[[], np.ndarray]) -> LocalFeatures:
        """Reads those of a record; the key is its split and its number."""
        packed = self._rows.packed(key[1])
        return self.features(load()) if packed is None else packed.unpacked()


def look(
    opened: Evaluation,
    evaluation_set: EvaluationSet,
    first: EvaluationResult,
    config: ExperimentConfig,
    calibration: ValCalibration,
    kept: FeatureRows | None = None,
) -> Looked:
    """Re-ranks a result as a config says, and localizes its queries.

    Args:
        opened: The model and the dataset.
        evaluation_set: The set.
        first: Of the first look.
        config: Who is compared, and by what.
        calibration: Of both looks.
        kept: Key points of the database; None to find them when they are needed.
    """
    dataset, localization = opened.dataset, config.localization
    looked_at, result, start_s = None, first, time.process_time()
    if localization.rerank.when != "never":
        matching = open_matching(localization.rerank, lambda: opened.extractor)
        if kept is not None:
            matching = StoredMatching(matching, kept)
        matching.features(read_image(dataset.split(evaluation_set.queries), 0))
        start_s = time.process_time()
        reranking = SetReranking(config, matching, calibration)
        result = reranking.rerank(opened, evaluation_set, first)
        looked_at = reranking.looks[evaluation_set.name]
    cpu_s = time.process_time() - start_s
    queries, database = (
        dataset.split(split).photo_table()
        for split in (evaluation_set.queries, evaluation_set.database)
    )
    localized = localize_queries(
        result,
        queries,
        database,
        localization,
        calibration.first,
        looked_at,
        calibration.reranked,
    )
    return Looked(
        result.hits[:, 0].astype(float),
        np.nan_to_num(localized.error_m[localized.method], nan=_NOWHERE_M),
        localized.estimates.localized,
        0 if looked_at is None else len(looked_at.queries),
        cpu_s,
    )


def table_of(looks: dict[str, Looked], threshold_m: float) -> Table:
    """Returns what each way to look finds."""
    columns = [
        Column("re-ranked", "text"),
        Column("R@1"),
        Column("against never, points"),
        Column(f"within {threshold_m:g} m", unit="%"),
        Column("against never, points"),
        Column("median error, m"),
        Column("localized", unit="%"),
        Column("of them right", unit="%"),
        Column("compared", unit="%"),
        Column("CPU s a query", digits=2),
    ]
    rows = []
    never = looks["never"]
    for name, one in looks.items():
        right, right_before = (x.error_m <= threshold_m for x in (one, never))
        changes = np.stack(
            [one.found - never.found, right.astype(float) - right_before], axis=1
        )
        recall, within = bootstrap_percentages(changes, _SETTINGS)
        [median] = bootstrap_quantiles(one.error_m, [0.5], _SETTINGS)
        given = one.localized
        precision = 100 * right[given].mean() if given.any() else None
        rows.append(
            (
                name,
                100 * one.found.mean(),
                None if one is never else recall,
                100 * right.mean(),
                None if one is never else within,
                median,
                100 * given.mean(),
                precision,
                100 * one.num_reranked / len(one.found),
                one.cpu_s / len(one.found),
            )
        )
    return Table("", columns, rows)


def table_by_confidence(looks: dict[str, Looked]) -> Table:
    """Returns R@1 of the queries that are sure at first, and of the others."""
    never = looks["never"]
    columns = [Column("first look", "text"), Column("queries")]
    columns += [Column(f"R@1 {name}") for name in looks]
    rows = []
    for text, chosen in (
        ("localized", never.localized),
        ("withheld", ~never.localized),
    ):
        recalls = [
            100 * one.found[chosen].mean() if chosen.any() else None
            for one in looks.values()
        ]
        rows.append((text, int(chosen.sum()), *recalls))
    return Table("", columns, rows)


def latency(
    opened: Evaluation, evaluation_set: EvaluationSet, config: ExperimentConfig
) -> str:
    """Returns how long the key points of a photo take, and a pair of photos."""
    matching = open_matching(config.localization.rerank, lambda: opened.extractor)
    split = opened.dataset.split(evaluation_set.database)
    count = min(_TIMED_PHOTOS, len(split))
    images = [read_image(split, row) for row in range(count)]
    matching.features(images[0])
    times = []
    for seconds in (time.process_time, time.perf_counter):
        start_s = seconds()
        features = [matching.features(image) for image in images]
        photo_ms = 1000 * (seconds() - start_s) / count
        pairs = [(n % count, (7 * n + 1) % count) for n in range(_TIMED_PAIRS)]
        start_s = seconds()
        for one, other in pairs:
            matching.pair(features[one], features[other])
        times.append((photo_ms, 1000 * (seconds() - start_s) / len(pairs)))
    (cpu_photo, cpu_pair), (photo, pair) = times
    height, width = features[0].image_size
    return (
        f"{matching.identity}: key points of a photo of {width} x {height} pixels "
        f"{cpu_photo:.0f} ms of CPU time ({photo:.0f} by the clock), a pair "
        f"{cpu_pair:.1f} ms ({pair:.1f})."
    )


def keep(
    opened: Evaluation,
    evaluation_set: EvaluationSet,
    config: ExperimentConfig,
    folder: Path,
) -> tuple[FeatureRows, str]:
    """Writes the key points of the database; says how much that is."""
    matching = open_matching(config.localization.rerank, lambda: opened.extractor)
    split = opened.dataset.split(evaluation_set.database)
    found = extract_local_features(
        matching,
        lambda row: read_image(split, row),
        len(split),
        folder,
        {"split": opened.dataset.split_fingerprint(evaluation_set.database)},
    )
    num_bytes = sum(path.stat().st_size for path in folder.rglob("*.*"))
    return found.rows, f"Kept: {num_bytes / len(split) / 1000:.1f} kB a photo."


def report(
    config: ExperimentConfig,
    model: str | None,
    set_name: str,
    kept_folder: Path | None = None,
) -> Iterator[str]:
    """Yields the tables of a test set."""
    localization = config.localization
    plain = _with_when(config, "never")
    opened = Evaluation.open(plain, model, output_dir=Path(config.runs_dir) / "rerank")
    evaluation_set = find_set(opened.dataset, set_name)
    wanted = _with_when(config, "below_confidence")
    most = max(localization.num_predictions, localization.rerank.candidates)
    first = opened.evaluate(evaluation_set, most)
    matching = open_matching(localization.rerank, lambda: opened.extractor)
    calibration = calibrate_on_val(opened, wanted.localization, config.seed, matching)
    looks = {
        when: look(opened, evaluation_set, first, _with_when(config, when), calibration)
        for when in RERANK_WHEN
    }
    if kept_folder is not None:
        kept, text = keep(opened, evaluation_set, config, kept_folder)
        always = _with_when(config, "always")
        looks["always, by kept key points"] = look(
            opened, evaluation_set, first, always, calibration, kept
        )
        yield text
    yield (
        f"{config.name}, {first.num_queries} queries, {first.num_database} photos; "
        f"{matching.identity}, {localization.rerank.candidates} candidates. At best "
        f"R@1 {100 * first.hits[:, :most].any(axis=1).mean():.1f}. "
        f"{calibration.why_none}"
    )
    yield table_of(looks, first.positive_dist_threshold_m).to_markdown()
    yield table_by_confidence(looks).to_markdown()
    yield latency(opened, evaluation_set, config)
    yield describe_machine()


def _with_when(config: ExperimentConfig, when: str) -> ExperimentConfig:
    rerank = dataclasses.replace(config.localization.rerank, when=when)
    localization = dataclasses.replace(config.localization, rerank=rerank)
    return dataclasses.replace(config, localization=localization)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True)
    parser.add_argument("--model")
    parser.add_argument("--set", default="test")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parse_with_overrides(parser, arguments)
    return guarded("rerank", lambda: _work(options), "nothing but --keep is kept")


def _work(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.overrides)
    for text in report(config, options.model, options.set, options.keep):
        print(f"{text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
