"""A paper of runs in LaTeX: a skeleton to fill in, and what is made anew each time."""

from __future__ import annotations

import importlib.resources
import math
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.config import ExperimentConfig, load_saved_config
from vpr_tf.report.run_seeds import config_paths
from vpr_tf.report.run_settings import settings_tables
from vpr_tf.report.run_table import RECALL_VALUES, RunRow, RunTable
from vpr_tf.report.run_table_files import write_run_table
from vpr_tf.report.set_columns import SetColumn
from vpr_tf.report.stored_report import StoredReport, find_reports
from vpr_tf.report.training_curves import read_training_curve, training_figure
from vpr_tf.stored_paths import found_inside
from vpr_tf.tables import latex

SKELETON = "report.tex"
_EXAMPLES = "examples"  # folder of pictures
_PICTURES_OF_A_RUN = 2
_QUERY = re.compile(r"query_[0-9]+\.jpg")
_WHOLE_PAGE = r"width=\linewidth,height=0.8\textheight,keepaspectratio"


@dataclass(frozen=True)
class _Row:
    """A row of the table with what lies in its runs' folders."""

    row: RunRow
    reports: list[list[StoredReport]]  # of each run

    def run_folders(self) -> Iterator[Path]:
        """Yields the run folder of each of its runs that lies in one."""
        for reports in self.reports:
            config = next(config_paths(reports[0]), None)
            if config is not None:
                yield config.parent


def write_latex_report(table: RunTable, folder: str | Path) -> list[Path]:
    """Writes a paper of runs: a skeleton, with their tables, figures and pictures.

    report.tex is written where there is none: it is for people to fill in. It reads
    settings.tex, runs.tex and figures.tex, which are written anew, as are training.png,
    the files of `write_run_table` and the pictures in examples/. It needs booktabs,
    etoolbox, graphicx, xcolor and hyperref.

    Args:
        table: The runs, whose folders are read again for configs, epochs and pictures.
        folder: Existing or new folder.

    Returns:
        report.tex, then the other files.

    Raises:
        ReportError: A report or a run's metrics.json is damaged.
        ConfigError: A run's config.yaml is damaged.
        OSError: A file cannot be read or written.
    """
    folder = Path(folder)
    rows = [
        _Row(row, [find_reports(Path(f)) for f in row.folders]) for row in table.rows
    ]
    configs = _configs(rows)
    files = write_run_table(table, folder)
    figures = [
        _figure(path.name, path.stem, f"Recall@{n} by set.", _WHOLE_PAGE)
        for n in RECALL_VALUES
        if (path := folder / f"recall_at_{n}.png") in files
    ]
    training = _write_training(rows, folder)
    if training is not None:
        files.append(training)
        caption = "Loss and recall on val by epoch; of a row's seeds each has a line."
        figures.append(_figure(training.name, "training", caption, _WHOLE_PAGE))
    pictures, examples = _write_examples(table, rows, folder / _EXAMPLES)
    settings = settings_tables(configs, has_seeds=table.is_grouped)
    texts = {
        "settings.tex": [each.to_latex() for each in settings],
        "figures.tex": [*figures, *examples],
    }
    for name, parts in texts.items():
        _write(folder / name, "\n\n".join(parts) + "\n")
    files += [folder / name for name in texts] + pictures
    skeleton = folder / SKELETON
    if not skeleton.exists():
        _write(skeleton, _skeleton())
    return [skeleton, *files]


def _skeleton() -> str:
    templates = importlib.resources.files("vpr_tf.report") / "templates"
    return (templates / SKELETON).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _configs(rows: Sequence[_Row]) -> dict[str, ExperimentConfig]:
    """Returns the config of the first run of each row that has one."""
    found = {}
    for row in rows:
        run = next(row.run_folders(), None)
        if run is not None:
            found[row.row.name] = load_saved_config(run / "config.yaml")
    return found


def _write_training(rows: Sequence[_Row], folder: Path) -> Path | None:
    curves = [
        curve
        for row in rows
        for run in row.run_folders()
        if (curve := read_training_curve(row.row.name, run)) is not None
    ]
    return training_figure(curves).write_png(folder) if curves else None


# === Pictures of queries ===


def _write_examples(
    table: RunTable, rows: Sequence[_Row], folder: Path
) -> tuple[list[Path], list[str]]:
    """Copies pictures of queries of the baseline and the best run, set by set.

    Returns:
        The copies, and a figure for each set that has some.
    """
    if folder.is_dir():
        for former in folder.glob("set*_run*_*.jpg"):
            former.unlink()
    copies, figures = [], []
    for number, column in enumerate(table.columns):
        lines = []
        for place in _baseline_and_best(table, number):
            for picture in _pictures(column, rows[place])[:_PICTURES_OF_A_RUN]:
                folder.mkdir(parents=True, exist_ok=True)
                copy = folder / f"set{number}_run{place}_{picture.name}"
                shutil.copyfile(picture, copy)
                copies.append(copy)
                lines.append(_example(table.rows[place].name, copy))
        if lines:
            caption = (
                f"Queries of {column.name} (left) and their first predictions. Green: "
                "within the distance that counts as right; red: not."
            )
            figures.append(_float(lines, f"examples{number}", caption))
    return copies, figures


def _example(run: str, picture: Path) -> str:
    image = _included(f"{_EXAMPLES}/{picture.name}", r"width=0.9\linewidth")
    return rf"{{\footnotesize {latex(run)}}}\\{image}\\[4pt]"


def _baseline_and_best(table: RunTable, column: int) -> list[int]:
    """Returns the first row and the one of the highest recall@1 on a set."""
    recalls = []
    for row in table.rows:
        cell = row.cells[column]
        recall = cell.recall(1) if cell is not None else None
        value = recall.value.value if recall is not None else math.nan
        recalls.append(value if math.isfinite(value) else -1.0)
    return list(dict.fromkeys((0, recalls.index(max(recalls)))))


def _pictures(column: SetColumn, row: _Row) -> list[Path]:
    """Returns pictures of a set that an evaluation drew for the first run of a row."""
    from vpr_tf.evaluation import PICTURES_FOLDER

    for report in filter(column.has, row.reports[0]):
        found = found_inside(report.folder.parent, f"{PICTURES_FOLDER}/*")
        return sorted(path for path in found if _QUERY.fullmatch(path.name))
    return []


def _figure(file: str, label: str, caption: str, size: str) -> str:
    return _float([_included(file, size)], label, caption)


def _included(file: str, size: str) -> str:
    return rf"\includegraphics[{size}]{{{file}}}"


def _float(lines: Sequence[str], label: str, caption: str) -> str:
    parts = [r"\begin{figure}", r"\centering", *lines, rf"\caption{{{latex(caption)}}}"]
    return "\n".join([*parts, rf"\label{{fig:{label}}}", r"\end{figure}"])
