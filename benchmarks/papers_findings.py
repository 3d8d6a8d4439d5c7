"""What finished runs measured, read from their reports and tables of methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.trained_settings import trained_settings
from vpr_tf.config import (
    PROTOCOLS,
    STANDARD,
    ConfigError,
    ExperimentConfig,
    load_saved_config,
)
from vpr_tf.report import ReportError, StoredReport, read_report
from vpr_tf.report.recalls import found_within
from vpr_tf.report.run_seeds import config_paths
from vpr_tf.stored_paths import found_inside, inside
from vpr_tf.stored_values import read_json

# Below the folder of the runs: of a run, of an output, of a set.
_REPORTS = tuple(
    f"{folder}/report/per_query.csv" for folder in ("*/*/report/*/*", "*/*/*", "*/*")
)
_TABLES = ("results.json", "*/results.json")


@dataclass(frozen=True)
class Finding:
    """Numbers of one method on one set.

    Attributes:
        where: The report or the table.
        data: Folder of the results of a dataset, `<name>-<fingerprint>`, and the set.
        protocol: What recall means; empty where that is no protocol of a paper or the
            counts are others.
        kind: `retrieval`, `approximate`, `classification`, `narrowed`; `heads` of
            `benchmarks.thesis`.
        recalls: Percent by N.
        num_queries: Of the recalls.
        encoder: For people; that of a released one starts with its name.
        settings: Of the runs, without their seeds; see `trained_settings`.
        images: How they were prepared; empty where that is not stated.
        num_cells: K of `narrowed`.
        ms: Of a query; None where it was not timed.
        index: Engine of `approximate`.
        pca_dim: To what PCA cut the descriptors that were searched; None without.
        accuracy: Percent whose very class is right, of `heads`.
        grid: M of the relative grid of `heads`; None without.
    """

    where: str
    data: str
    protocol: str
    kind: str
    recalls: Mapping[int, float]
    num_queries: int
    encoder: str = ""
    settings: tuple[Mapping[str, Any], ...] = ()
    images: str = ""
    num_cells: int | None = None
    ms: float | None = None
    index: str = ""
    pca_dim: int | None = None
    accuracy: float | None = None
    grid: int | None = None

    @property
    def symbol(self) -> str:
        """What recall is called."""
        return "LR" if self.kind == "classification" else "R"


def seedless(config: ExperimentConfig) -> dict[str, Any]:
    """Returns what runs of one method share: all settings but the seed."""
    settings = trained_settings(config)
    del settings["seed"]
    return settings


def find_findings(runs: Path) -> tuple[list[Finding], list[str]]:
    """Reads all reports and tables of methods, the oldest first.

    Returns:
        The findings, and why files were left out.
    """
    found: list[tuple[float, Finding]] = []
    left_out = []
    for path in (p for place in _REPORTS for p in found_inside(runs, place)):
        try:
            finding = _of_report(read_report(path.parent))
        except (ReportError, ConfigError, OSError) as error:
            left_out.append(str(error))
            continue
        found += [(path.stat().st_mtime, finding)] if finding else []
    for path in (p for place in _TABLES for p in found_inside(runs, place)):
        try:
            of_table = list(_of_table(path, runs))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            left_out.append(f"{path}: {type(error).__name__}: {error}")
            continue
        found += [(path.stat().st_mtime, one) for one in of_table]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])], left_out


def _of_report(report: StoredReport) -> Finding | None:
    """Returns what a report says; None of approximate, re-ranked or exported."""
    own = report.identity
    num_counted = int(report.known.sum())
    is_plain = own.search in ("exact", "heads") and own.engine == "tensorflow"
    if not num_counted or not is_plain:
        return None
    protocol = PROTOCOLS.get(own.protocol, PROTOCOLS[STANDARD])
    num_database = None if own.predicts_places else own.num_database
    is_own = protocol.name != STANDARD and not protocol.differing_counts(
        num_counted, num_database
    )
    ranks = report.hit_ranks(report.threshold_m)[report.known]
    recalls = {n: float(found_within(ranks, n).mean()) for n in report.recall_values}
    return Finding(
        where=str(report.folder),
        data=f"{report.folder.parent.parent.name}/{own.set_name}",
        protocol=protocol.name if is_own else "",
        kind=own.method,
        recalls={n: 100 * share for n, share in recalls.items()},
        num_queries=num_counted,
        encoder=own.encoder,
        settings=_settings_of(report),
        images=own.preprocessing,
    )


def _settings_of(report: StoredReport) -> tuple[dict[str, Any], ...]:
    """Returns the settings of the run that a report lies in, if it is of its model."""
    path = next(config_paths(report), None)
    if path is None:
        return ()
    config = load_saved_config(path)
    run = f"best weights of {config.name}/{path.parent.name}"
    return (seedless(config),) if report.identity.encoder.endswith(run) else ()


def _of_table(path: Path, runs: Path) -> Iterator[Finding]:
    """Yields the lines of a table of methods; of another file nothing."""
    content = read_json(inside(path.parent, path.name))
    if not isinstance(content, dict) or not {"methods", "heads"} & content.keys():
        return
    name, print_ = Path(content["dataset"]).name, content["dataset_fingerprint"][:8]
    for line in content.get("heads", ()):
        config = runs.joinpath(*Path(line["run"]).parts[-2:]) / "config.yaml"
        if config.is_file():
            yield Finding(
                where=str(path),
                data=f"{name}-{print_}/{line['split']}",
                protocol="",
                kind="heads",
                recalls={},
                num_queries=line["num_photos"],
                settings=(seedless(load_saved_config(config)),),
                accuracy=line["accuracy"],
                grid=line["grid"],
            )
    for line in content.get("methods", ()):
        folders = [
            runs.joinpath(*Path(run).parts[-2:]) for run in line["run"].split(", ")
        ]
        configs = [folder / "config.yaml" for folder in folders]
        if not all(config.is_file() for config in configs):
            continue
        yield Finding(
            where=str(path),
            data=f"{name}-{print_}/{content['set']}",
            protocol="",  # the table does not state it
            kind=line["kind"],
            recalls={int(n): v for n, v in line["recalls"].items() if v is not None},
            num_queries=content["num_queries"],
            settings=tuple(seedless(load_saved_config(config)) for config in configs),
            num_cells=line["num_cells"],
            ms=line["total_ms"],
            # Tables of former versions have neither.
            index=line.get("index", ""),
            pca_dim=line.get("pca_dim"),
        )
