"""What a training run came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpr_tf.training.best_model import read_best
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.run_records import read_metrics


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        run: The run's folder; None on a worker that writes nothing.
        recalls: Of the best model, in percent by N, by the name of the set: `val` and
            the test sets.
        metrics: What `metrics.json` holds: facts of the run, epochs, tests.
        savedmodel: The exported version; None if nothing was exported.
    """

    run: Path | None = None
    recalls: dict[str, dict[int, float]] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    savedmodel: Path | None = None

    @staticmethod
    def from_run(run: RunFolder) -> TrainingResult:
        """Reads what a finished run wrote."""
        metrics = read_metrics(run.metrics_file)
        by_set = {"val": read_best(run.best).val_recalls}
        by_set |= {name: test["recalls"] for name, test in metrics["tests"].items()}
        recalls = {
            name: {int(n): value for n, value in values.items()}
            for name, values in by_set.items()
            if values
        }
        savedmodel = metrics.get("savedmodel")
        return TrainingResult(
            run.path, recalls, metrics, Path(savedmodel) if savedmodel else None
        )
