"""Runs whose configs differ in nothing but the seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from vpr_tf.config import ConfigError, ExperimentConfig, config_yaml, load_saved_config
from vpr_tf.report.errors import ReportError
from vpr_tf.report.stored_report import StoredReport


@dataclasses.dataclass(frozen=True, eq=False)
class SeedGroup:
    """Runs that are one row of a table.

    Attributes:
        folders: As they were named, by seed.
        runs: The reports of each.
        seeds: `seed` of each run's config; empty where runs are not grouped.
        config_name: `name` of their config; empty likewise.
    """

    folders: list[Path]
    runs: list[list[StoredReport]]
    seeds: list[int]
    config_name: str = ""

    @property
    def reports(self) -> list[StoredReport]:
        """The reports of all its runs."""
        return [report for run in self.runs for report in run]


def group_by_seed(
    folders: Sequence[Path], runs: Sequence[list[StoredReport]]
) -> list[SeedGroup]:
    """Groups runs by their config without its seed, in the order of the first ones.

    Args:
        folders: As the runs were named.
        runs: The reports of each.

    Raises:
        ReportError: A run has no readable config.yaml, or two have the same seed.
    """
    found: dict[str, list[tuple[ExperimentConfig, Path, list[StoredReport]]]] = {}
    for folder, reports in zip(folders, runs, strict=True):
        config = _config_of(folder, reports)
        key = config_yaml(dataclasses.replace(config, seed=0))
        members = found.setdefault(key, [])
        for one, other, _ in members:
            if one.seed == config.seed:
                raise ReportError(
                    "Runs of one config must have different seeds to be grouped. "
                    f"Received: seed {one.seed} in {other} and {folder}. Leave one out."
                )
        members.append((config, folder, reports))
    return [
        SeedGroup(
            [folder for _, folder, _ in members],
            [reports for _, _, reports in members],
            [config.seed for config, _, _ in members],
            members[0][0].name,
        )
        for members in (
            sorted(group, key=lambda member: member[0].seed) for group in found.values()
        )
    ]


def _config_of(folder: Path, reports: Sequence[StoredReport]) -> ExperimentConfig:
    for path in config_paths(reports[0]):
        try:
            return load_saved_config(path)
        except (ConfigError, OSError) as error:
            raise ReportError(f"Cannot group {folder} by its seed: {error}") from error
    raise ReportError(
        f"Runs that are grouped by seed must have a config.yaml. Received: {folder}, "
        "which lies in no run folder. Leave --group-seeds out, or name the runs."
    )


def config_paths(report: StoredReport) -> Iterator[Path]:
    """Yields each config.yaml of the folders that a report lies in, nearest first."""
    for parent in report.folder.resolve().parents:
        path = parent / "config.yaml"
        if path.is_file() and not path.is_symlink():
            yield path
