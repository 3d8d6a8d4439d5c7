"""How an index is searched, and how its matches become positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy.typing as npt

from vpr_tf.config import EvaluationConfig, LocalizationConfig
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import changes
from vpr_tf.place_index.index_reader import IndexReader
from vpr_tf.place_index.localizing import calibrate
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.photo_arguments import (
    PhotoColumns,
    as_descriptors,
    photo_table,
)
from vpr_tf.place_index.recall import RECALL_QUERIES
from vpr_tf.search import CellFilter

if TYPE_CHECKING:
    from vpr_tf.localization import Calibration, InlierCounter
    from vpr_tf.place_index.tuning import TuningReport


class TunableIndex(IndexReader):
    """The part of `PlaceIndex` that changes how it searches and localizes.

    Args:
        folder: The index.
    """

    def set_search(
        self,
        kind: str,
        settings: dict[str, Any] | None = None,
        *,
        recall_queries: int = RECALL_QUERIES,
    ) -> IndexManifest:
        """Builds another search structure for all photos.

        Args:
            kind: `exact`, `scann`, `milvus` or `auto`.
            settings: See `SearchIndex.build`; `tune` finds the best.
            recall_queries: See `add`.

        Returns:
            The new state.

        Raises:
            ValueError: No such kind or settings. The index is as it was.
            RetrievalError: The folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> PlaceIndex.open("city.index").set_search("exact").kind
            'exact'
        """
        return changes.rebuild(self.folder, recall_queries, kind, settings)

    def tune(
        self,
        queries: npt.ArrayLike | None = None,
        *,
        min_recall: float = 0.99,
        recall_at: int = 1,
        kinds: Iterable[str] = ("scann",),
        sample: int = 1000,
        seed: int = 0,
        budget_s: float | None = None,
        dry_run: bool = False,
        queries_name: str | None = None,
        output: str | Path | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> TuningReport:
        """Measures ways to search, and sets the fastest one that finds enough.

        Each structure is built and measured in a process of its own. The index stays
        as it is until all is measured; interrupted tuning continues when it is run
        again. Results, their table and a figure are written.

        Args:
            queries: Descriptors `(num_queries, descriptor_dim)` of photos as they will
                be searched for; None: stored photos, each searched without itself.
            min_recall: Share of the true nearest photos that must be found.
            recall_at: Of how many nearest photos: 1, 10 or 20.
            kinds: What to try besides `exact`: `scann`, `milvus`.
            sample: How many stored photos are searched.
            seed: Of their choice.
            budget_s: Seconds after which no further structure is begun.
            dry_run: Whether the index is left as it is.
            queries_name: What the queries are, for people.
            output: Folder of the results; None for `tuning` in the index.
            progress: Called with what is being done; None prints to stderr.

        Raises:
            ValueError: An option cannot be.
            IndexMismatchError: There is no index, or it is damaged.
            RetrievalError: It was changed meanwhile, or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> report = PlaceIndex.open("city.index").tune(  # doctest: +SKIP
            ...     min_recall=0.99, kinds=["scann"], dry_run=True
            ... )
            >>> report.chosen.name, report.chosen.queries_per_s  # doctest: +SKIP
            ('scann 200 leaves int8 searched=4 reordered=50', 21400.0)
        """
        from vpr_tf.place_index.tuning import TuningOptions, tune

        options = TuningOptions(
            min_recall, recall_at, tuple(kinds), sample, seed, budget_s, dry_run
        )
        return tune(self.folder, queries, queries_name, options, output, progress)

    def calibrate(
        self,
        descriptors: npt.ArrayLike,
        *,
        config: LocalizationConfig | None = None,
        threshold_m: float = EvaluationConfig.positive_dist_threshold_m,
        cells: CellFilter | None = None,
        fitted_on: str | None = None,
        seed: int = 0,
        counter: InlierCounter | None = None,
        photos: PhotoTable | None = None,
        **columns: Unpack[PhotoColumns],
    ) -> Calibration:
        """Fits expected errors and confidences on queries of known position.

        The queries are searched in this index, so they must not be photos of it. What
        is found is stored in the index, for `localize`.

        Args:
            descriptors: Of the queries, `(num_queries, descriptor_dim)`.
            config: How matches become a position; None for what the index says.
            threshold_m: Largest error of a right position, metres.
            cells: What will restrict the searches of `localize`; see `search`.
            fitted_on: What the queries are, for people.
            seed: Of the division into folds.
            counter: Compares the queries with photos, where `config.rerank` says that
                some are re-ranked; None for a calibration without that.
            photos: What is known of the queries; see `create`.
            **columns: See `create`; the positions are the truth.

        Raises:
            ValueError: Descriptors or columns cannot be.
            LocalizationError: No query has a match and a known position.
            RetrievalError: The folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> index = PlaceIndex.open("city.index")
            >>> calibration = index.calibrate(
            ...     [[0.1, 0.9, 0.2], [0.9, 0.1, 0.2]],
            ...     latitude=[37.80001, 37.70001],
            ...     longitude=[-122.5, -122.5],
            ... )
            >>> calibration.threshold_m, calibration.num_queries
            (25.0, 2)
        """
        photos = photo_table(len(as_descriptors(descriptors)), photos, **columns)
        state = self.state()
        stored, calibration = calibrate(
            state,
            descriptors,
            photos,
            config,
            threshold_m=threshold_m,
            cells=cells,
            fitted_on=fitted_on or f"{len(photos)} queries",
            seed=seed,
            counter=counter,
        )
        self.set_localization(stored)
        return calibration

    def set_localization(self, localization: dict[str, Any] | None) -> None:
        """Stores settings and calibration of `vpr_tf.localization`.

        Args:
            localization: JSON-ready.

        Raises:
            ValueError: Not JSON.
            RetrievalError: The folder is damaged or cannot be written.
        """
        changes.set_localization(self.folder, localization)
