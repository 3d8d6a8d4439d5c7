"""What evaluation sets are made of, so that it is seen how far one speaks for another.

No model has a part in it: years, light, headings, density, and how far queries are
from the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vpr_tf.data.prepared_dataset import (
    DatasetError,
    EvaluationSet,
    PreparedDataset,
    SplitIndex,
)
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.geo import Positions, nearest_m
from vpr_tf.photos import PhotoTable
from vpr_tf.photos.coverage import DEFAULT_CELL_SIZE_M, covered_cells
from vpr_tf.report.brightness import mean_luma
from vpr_tf.report.query_attributes import headings_say_nothing
from vpr_tf.report.query_facts import heading_gaps, year_gaps, years_of
from vpr_tf.tables import Interval

CELL_SIZE_M = DEFAULT_CELL_SIZE_M
SECTORS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
MOST_DECODED = 1000  # photos of a split whose brightness is measured
_ENDS = (0.1, 0.9)  # of the interval behind a median


@dataclass(frozen=True)
class SetSource:
    """A dataset, and what its config says of its sets.

    Attributes:
        dataset: The prepared dataset.
        threshold_m: Largest distance of a positive.
        dark_luma_below: Mean luma of a photo by night.
    """

    dataset: PreparedDataset
    threshold_m: float
    dark_luma_below: float


@dataclass(frozen=True, eq=False)
class SplitProperties:
    """Photos of a split, each array `(num_photos,)` unless said otherwise.

    Attributes:
        split: Name of the split.
        num_without_position: Photos of unknown position.
        years: NaN where unknown.
        luma: Mean luma, 0 to 1, of at most `MOST_DECODED` photos.
        heading_deg: NaN where unknown, or where all are the same.
        headings_are_constant: Whether they are, as where a source fills in zeros.
        per_cell: Photos in each cell of 25 m that holds any, `(num_cells,)`.
    """

    split: str
    num_without_position: int
    years: np.ndarray
    luma: np.ndarray
    heading_deg: np.ndarray
    headings_are_constant: bool
    per_cell: np.ndarray

    @property
    def num_photos(self) -> int:
        """Photos of the split."""
        return len(self.years)

    @property
    def covered_km2(self) -> float:
        """Area of the cells that hold photos."""
        return len(self.per_cell) * CELL_SIZE_M**2 / 1e6

    @property
    def sector_shares(self) -> np.ndarray:
        """Share of the known headings in each of `SECTORS`; NaN where none is known."""
        known = self.heading_deg[~np.isnan(self.heading_deg)]
        sectors = np.round(known / (360 / len(SECTORS))).astype(int) % len(SECTORS)
        counts = np.bincount(sectors, minlength=len(SECTORS))
        return counts / len(known) if len(known) else np.full(len(SECTORS), np.nan)

    def dark_share(self, below: float) -> float:
        """Share of the decoded photos that are darker."""
        return float(np.mean(self.luma < below)) if len(self.luma) else np.nan


@dataclass(frozen=True, eq=False)
class SetProperties:
    """An evaluation set, each array `(num_queries,)` and NaN where unknown.

    Attributes:
        name: Of the set, behind the name of its dataset where there are several.
        dataset_fingerprint: Of its dataset.
        threshold_m: Largest distance of a positive.
        dark_luma_below: Mean luma of a photo by night.
        queries: The photos that are to be found.
        database: Those among which they are looked for.
        nearest_m: Metres from each query to the nearest database photo.
        num_positives: Database photos within the threshold.
        year_gap: Smallest difference of years to a positive.
        heading_gap_deg: Smallest turn to a positive.
        nearest_train_m: Metres from each query to the nearest photo of the train split.
    """

    name: str
    dataset_fingerprint: str
    threshold_m: float
    dark_luma_below: float
    queries: SplitProperties
    database: SplitProperties
    nearest_m: np.ndarray
    num_positives: np.ndarray
    year_gap: np.ndarray
    heading_gap_deg: np.ndarray
    nearest_train_m: np.ndarray

    @property
    def splits(self) -> dict[str, SplitProperties]:
        """The photos of the set by what they are."""
        return {"queries": self.queries, "database": self.database}

    @property
    def share_without_positives(self) -> float:
        """Share of the queries of known position without a positive."""
        known = self.num_positives[~np.isnan(self.num_positives)]
        return float(np.mean(known == 0)) if len(known) else np.nan

    def compared(self) -> dict[str, np.ndarray]:
        """Returns what two sets are told apart by, by its name for people."""
        return {
            "brightness of queries": self.queries.luma,
            "years of queries": self.queries.years,
            "years of the database": self.database.years,
            "headings of queries": self.queries.heading_deg,
            "headings of the database": self.database.heading_deg,
            "database photos in a cell": self.database.per_cell,
            "positives of a query": self.num_positives,
            "nearest database photo": self.nearest_m,
            "years to a positive": self.year_gap,
            "turn to a positive": self.heading_gap_deg,
            "nearest train photo": self.nearest_train_m,
        }


def middle(values: np.ndarray) -> Interval:
    """Returns the median, and between which values 8 of 10 lie; NaN without any."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(np.nan)
    median, low, high = np.quantile(known.astype(np.float64), (0.5, *_ENDS))
    return Interval(float(median), float(low), float(high))


def unlike(first: SetProperties, second: SetProperties) -> dict[str, float]:
    """Returns how unlike two sets are, 0 to 1, by what; NaN where it is not known.

    The largest difference of the cumulative shares, as of Kolmogorov and Smirnov.
    """
    others = second.compared()
    return {name: _gap(one, others[name]) for name, one in first.compared().items()}


def _gap(first: np.ndarray, second: np.ndarray) -> float:
    from scipy.stats import ks_2samp

    first, second = (each[~np.isnan(each)] for each in (first, second))
    if not len(first) or not len(second):
        return np.nan
    return float(ks_2samp(first, second, method="asymp").statistic)


def measure_sets(
    sources: Sequence[SetSource],
    set_names: Sequence[str] = (),
    *,
    progress: bool = True,
) -> list[SetProperties]:
    """Measures the evaluation sets of datasets.

    Args:
        sources: Datasets, of which each has one of the sets at least.
        set_names: `val` or names of test sets, in this order; empty for all.
        progress: Whether to draw progress bars.

    Raises:
        DatasetError: There is no such set, or a photo is damaged.
        ValueError: Local coordinates and positions on the earth are mixed in a set.
    """
    datasets = [source.dataset for source in sources]
    _check_known(datasets, set_names)
    chosen = [(source, _sets_of(source.dataset, set_names)) for source in sources]
    labels = _labels(datasets)
    measured = []
    for (source, sets), label in zip(chosen, labels, strict=True):
        measurement = _Measurement(source, progress)
        measured += [
            measurement.measure(each, f"{label}/{each.name}" if label else each.name)
            for each in sets
        ]
    return measured


def _known(dataset: PreparedDataset) -> dict[str, EvaluationSet]:
    return ({"val": dataset.val} if dataset.val else {}) | dataset.tests


def _sets_of(dataset: PreparedDataset, set_names: Sequence[str]) -> list[EvaluationSet]:
    """Returns the sets of a dataset: those that are named, or all."""
    known = _known(dataset)
    names = [name for name in set_names or known if name in known]
    if not names:
        return dataset.evaluation_sets(set_names)  # says what there is
    return [known[name] for name in dict.fromkeys(names)]


def _check_known(datasets: Sequence[PreparedDataset], set_names: Sequence[str]) -> None:
    known = dict.fromkeys(name for dataset in datasets for name in _known(dataset))
    missing = [name for name in set_names if name not in known]
    if missing:
        raise DatasetError(
            f"At least one dataset must have each set. Received: {', '.join(missing)}; "
            f"there are: {', '.join(known) or 'none'}"
        )


def _labels(datasets: Sequence[PreparedDataset]) -> list[str]:
    """Returns what stands before the names of a dataset's sets; empty of one alone."""
    if len(datasets) == 1:
        return [""]
    names = [dataset.path.resolve().name for dataset in datasets]
    is_clear = len(set(names)) == len(names)
    return names if is_clear else [str(dataset.path) for dataset in datasets]


@dataclass
class _Measurement:
    """Measures the sets of a dataset; splits that several sets share once."""

    source: SetSource
    progress: bool
    _splits: dict[str, SplitProperties] = field(default_factory=dict)
    _photos: dict[str, PhotoTable] = field(default_factory=dict)

    def measure(self, chosen: EvaluationSet, name: str) -> SetProperties:
        """Measures a set."""
        queries, database = map(self._table, (chosen.queries, chosen.database))
        threshold_m, known = self.source.threshold_m, queries.positions.known
        positives = positives_per_query(
            queries.positions, database.positions, threshold_m
        )
        counts = np.array([len(rows) for rows in positives], np.float64)
        of_queries, of_database = map(self._split, (chosen.queries, chosen.database))
        headings = of_queries.heading_deg, of_database.heading_deg
        turns = heading_gaps(queries, database, positives)
        if any(np.isnan(each).all() for each in headings):
            turns = np.full(len(queries), np.nan)
        return SetProperties(
            name,
            self.source.dataset.fingerprint,
            threshold_m,
            self.source.dark_luma_below,
            of_queries,
            of_database,
            nearest_m(queries.positions, database.positions),
            np.where(known, counts, np.nan),
            year_gaps(queries, database, positives),
            turns,
            self._nearest_train_m(queries.positions),
        )

    def _nearest_train_m(self, queries: Positions) -> np.ndarray:
        if "train" not in self.source.dataset.split_names:
            return np.full(len(queries), np.nan)
        return nearest_m(queries, self._table("train").positions)

    def _table(self, name: str) -> PhotoTable:
        if name not in self._photos:
            self._photos[name] = self.source.dataset.split(name).photo_table()
        return self._photos[name]

    def _split(self, name: str) -> SplitProperties:
        if name not in self._splits:
            split = self.source.dataset.split(name)
            self._splits[name] = _measured(split, self._table(name), self.progress)
        return self._splits[name]


def _measured(split: SplitIndex, photos: PhotoTable, progress: bool) -> SplitProperties:
    known = np.flatnonzero(photos.positions.known)
    per_cell = np.zeros(0)
    if len(known):
        _, cell_of = covered_cells(photos.positions.take(known), CELL_SIZE_M)
        per_cell = np.bincount(cell_of).astype(np.float64)
    headings = np.where(photos.heading_deg < 0, np.nan, photos.heading_deg)
    is_constant = len(headings) > 1 and headings_say_nothing(headings)
    if is_constant:
        headings = np.full(len(headings), np.nan)
    return SplitProperties(
        split=split.name,
        num_without_position=len(photos) - len(known),
        years=years_of(photos.timestamps),
        luma=mean_luma(split, _sample(len(split)), progress=progress),
        heading_deg=headings,
        headings_are_constant=is_constant,
        per_cell=per_cell,
    )


def _sample(num_photos: int) -> np.ndarray:
    """Returns rows drawn from a split, the same each time."""
    count = min(num_photos, MOST_DECODED)
    return np.sort(np.random.default_rng(0).choice(num_photos, count, replace=False))


def set_numbers(properties: SetProperties) -> dict[str, Any]:
    """Returns the numbers of a set, for programs; NaN is unknown."""
    of_splits = {
        role: {
            "split": split.split,
            "photos": split.num_photos,
            "without_position": split.num_without_position,
            "years": _counted(split.years),
            "brightness": middle(split.luma),
            "brightness_of": len(split.luma),
            "dark_share": split.dark_share(properties.dark_luma_below),
            "headings_are_constant": split.headings_are_constant,
            "without_heading": int(np.isnan(split.heading_deg).sum()),
            "heading_shares": dict(
                zip(SECTORS, split.sector_shares.tolist(), strict=True)
            ),
            "covered_km2": split.covered_km2,
            "photos_per_cell": middle(split.per_cell),
        }
        for role, split in properties.splits.items()
    }
    return {
        "name": properties.name,
        "dataset_fingerprint": properties.dataset_fingerprint,
        "positive_dist_threshold_m": properties.threshold_m,
        "dark_luma_below": properties.dark_luma_below,
        "cell_size_m": CELL_SIZE_M,
        **of_splits,
        "nearest_database_m": middle(properties.nearest_m),
        "share_without_positives": properties.share_without_positives,
        "positives": middle(properties.num_positives),
        "year_gap": middle(properties.year_gap),
        "heading_gap_deg": middle(properties.heading_gap_deg),
        "nearest_train_m": middle(properties.nearest_train_m),
    }


def _counted(years: np.ndarray) -> dict[str, int]:
    values, counts = np.unique(years[~np.isnan(years)].astype(int), return_counts=True)
    return dict(zip(map(str, values.tolist()), counts.tolist(), strict=True))
