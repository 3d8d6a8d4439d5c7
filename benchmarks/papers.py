"""The numbers of a paper beside those measured here: `python -m benchmarks.papers`.

    python -m benchmarks.papers --paper dc|thesis|cosplace [--runs DIR] [--json]
        [key=value ...]

Published numbers are those of `vpr_tf/report/published.yaml`. Measured ones are read
from what `vpr evaluate --report` and `benchmarks.methods` wrote below --runs; this
command measures nothing. A number stands under `measured` if the protocol is the
paper's, the set has its counts, and the model is the released encoder of that name or a
run with all settings of the config that trains it, seeds aside. What the method reached
on other data stands in a column of its own, with their name; overrides, such as a
smaller budget, hold for the configs of that column alone.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.overrides import parse_with_overrides
from benchmarks.papers_findings import Finding, find_findings, seedless
from benchmarks.papers_plan import PAPERS, Route, loaded, published_of, route_of
from vpr_tf.config import ConfigError
from vpr_tf.report import json_ready
from vpr_tf.report.published import PLACE_RECALL, RECALL, PublishedRecall
from vpr_tf.tables import UNKNOWN, Column, Table

MEASURED, TIME = "measured", "ms a query"
_CONFIGS = Path("configs/datasets")


@dataclass(frozen=True)
class Row:
    """A published number of a method on a set, for one N or several.

    Attributes:
        published: The numbers.
        route: What measures them.
        config: Measures them on their own data; empty for none.
        command: Does so, from photos to report; empty likewise.
        measured: The newest on their own data; None without.
        state: `measured`, `not measured` where the data are here, or why not.
        elsewhere: The newest of each other data.
        overrides: With which the method was trained on other data.
    """

    published: PublishedRecall
    route: Route
    config: str
    command: str
    measured: Finding | None
    state: str
    elsewhere: list[Finding]
    overrides: tuple[str, ...] = ()

    @property
    def command_elsewhere(self) -> str:
        """Measures the method on other data; empty for none."""
        return self.route.stand_in_command(self.overrides)

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the settings of runs, JSON-ready."""
        content = dict(json_ready(self))
        del content["route"]
        found = [content["measured"]] if self.measured else []
        for finding in [*found, *content["elsewhere"]]:
            del finding["settings"]
        content["configs_elsewhere"] = list(self.route.stand_ins)
        content["command_elsewhere"] = self.command_elsewhere
        return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    options = _parse(arguments)
    if not _CONFIGS.is_dir():
        print(
            f"benchmarks.papers: it reads {_CONFIGS}. Received: no such folder in "
            f"{Path.cwd()}. Run it in the folder of the project.",
            file=sys.stderr,
        )
        return 2
    if not options.runs.is_dir():
        print(
            f"benchmarks.papers: --runs must be a folder of runs. Received: "
            f"{options.runs}. Train or evaluate first, or name another folder.",
            file=sys.stderr,
        )
        return 2
    try:
        findings, left_out = find_findings(options.runs)
    except OSError as error:
        print(f"benchmarks.papers: cannot read --runs: {error}", file=sys.stderr)
        return 2
    try:
        rows = paper_rows(options.paper, findings, options.overrides)
    except ConfigError as error:
        print(f"benchmarks.papers: {error}", file=sys.stderr)
        return 2
    if options.json:
        content = {"rows": [row.to_dict() for row in rows], "left_out": left_out}
        print(json.dumps(content, indent=2))
    else:
        print(paper_markdown(rows))
    for reason in left_out:
        print(f"Left out: {reason}", file=sys.stderr)
    return 0


def paper_rows(
    paper: str, findings: Sequence[Finding], overrides: Sequence[str] = ()
) -> list[Row]:
    """Puts what was measured beside what is published.

    Args:
        paper: Of `PAPERS`.
        findings: The oldest first.
        overrides: Of the configs that measure methods on other data.

    Raises:
        ConfigError: An override cannot be.
    """
    sets = _sets_by_protocol()
    told = tuple(overrides)
    return [_row(one, findings, sets, told) for one in published_of(paper)]


def _row(
    published: PublishedRecall,
    findings: Sequence[Finding],
    sets: Mapping[str, tuple[str, str]],
    overrides: tuple[str, ...],
) -> Row:
    route = route_of(published)
    config = route.config_of(published.protocol, sets)
    command = route.command(published.protocol, sets)
    for path in route.stand_ins:
        loaded(path, overrides)  # a wrong override is told without any run, too
    own, other = None, {}
    for finding in findings:
        is_method = _is_of(finding, route)
        if is_method and published.protocol and finding.protocol == published.protocol:
            own = finding
        elif finding.ms is None and published.metric == TIME:
            continue
        elif is_method or _is_stand_in(finding, route, overrides):
            other[finding.data] = finding
    state = MEASURED if own else _state(published, route, config)
    elsewhere = list(other.values())
    return Row(published, route, config, command, own, state, elsewhere, overrides)


def _is_of(finding: Finding, route: Route) -> bool:
    """Whether a finding is of the paper's own method."""
    if route.released and finding.encoder.startswith(f"{route.released}, "):
        return finding.kind == "retrieval"
    if not route.config:
        return False
    kind, settings = _expected(route.config, route.overrides)
    return finding.kind == kind and finding.settings == (settings,)


def _is_stand_in(finding: Finding, route: Route, overrides: tuple[str, ...]) -> bool:
    """Whether a finding is of the method as the plan has it on other data."""
    if not route.stand_ins:
        return False
    variant = (route.num_cells, route.index, route.pca_dim)
    if (finding.num_cells, finding.index, finding.pca_dim) != variant:
        return False
    expected = [_expected(path, overrides) for path in route.stand_ins]
    if route.of_heads:
        return _is_of_heads(finding, route, expected[0][1])
    kind = expected[0][0]
    if route.num_cells or route.index:
        kind = "narrowed" if route.num_cells else "approximate"
    settings = tuple(settings for _, settings in expected)
    return finding.kind == kind and finding.settings == settings


def _is_of_heads(finding: Finding, route: Route, expected: Mapping[str, Any]) -> bool:
    """Whether heads were trained as expected, the partition aside on another grid."""
    if finding.kind != "heads" or finding.grid != route.grid:
        return False
    [settings] = finding.settings
    names = set(expected)
    if route.grid is not None:
        names -= {"build.partition", "dataset.partition"}
    return all(settings[name] == expected[name] for name in names)


@functools.cache
def _expected(path: str, overrides: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """Returns the kind and the settings of the runs of a config."""
    config = loaded(path, overrides)
    return config.evaluation.method, seedless(config)


@functools.cache
def _sets_by_protocol() -> dict[str, tuple[str, str]]:
    """Returns the config and the name of the test set that each protocol is of."""
    found = {}
    for path in sorted(_CONFIGS.glob("*.yaml")):
        config = loaded(path)
        for name in config.build.tests:
            found[config.evaluation.rule_of(name).name] = f"{path}", name
    return found


def _state(published: PublishedRecall, route: Route, config: str) -> str:
    """Returns why nothing is measured."""
    if published.metric == TIME:
        return "times are of their machine"
    if route.missing:
        return route.missing
    if not published.protocol:
        return "no protocol is stated"
    if not config:
        return "no config of this set"
    dataset = Path(loaded(config).dataset.path)
    return "not measured" if (dataset / "manifest.json").exists() else "data not here"


def paper_markdown(rows: Sequence[Row]) -> str:
    """Returns the table, and the commands that it numbers."""
    commands: dict[str, int] = {}
    names = ["method", "data (protocol)", "metric", "published", "measured"]
    names += ["measured by", "on other data", "measured there by", "source"]
    columns = [Column(name, "text") for name in names]
    table = Table("", columns, [_cells(row, commands) for row in rows])
    lines = [f"{number}. `{command}`" for command, number in commands.items()]
    return "\n".join([table.to_markdown(), "", *lines])


def _cells(row: Row, commands: dict[str, int]) -> list[Any]:
    published, configs = row.published, ", ".join(row.route.stand_ins)
    values = sorted(published.recalls)
    data, metric = published.data, published.metric
    if published.protocol:
        data += f" ({published.protocol})"
    if metric in (RECALL, PLACE_RECALL):
        metric += f"@{'/'.join(map(str, values))}"
    config, measured = row.config, row.state
    if row.route.released and row.route.config and config:
        config += f", or a run of {row.route.config}"
    if row.measured:
        measured = f"{_numbers(row.measured, values)} ({row.measured.images})"
    return [
        published.method,
        data,
        metric,
        " / ".join(f"{published.recalls[n]}" for n in values),
        measured,
        _numbered(config, row.command, commands),
        "; ".join(_elsewhere(one, published, values) for one in row.elsewhere),
        _numbered(configs, row.command_elsewhere, commands),
        published.source,
    ]


def _numbered(configs: str, command: str, commands: dict[str, int]) -> str:
    if not command:
        return ""
    return f"{configs} [{commands.setdefault(command, len(commands) + 1)}]"


def _elsewhere(finding: Finding, published: PublishedRecall, values: list[int]) -> str:
    if finding.accuracy is not None:
        photos = f"({finding.data}, {finding.num_queries:,} photos)"
        return f"accuracy {finding.accuracy:.1f} {photos}"
    data = f"({finding.data}, {finding.num_queries:,} queries)"
    if finding.ms is not None and published.metric == TIME:
        return f"{finding.ms:.1f} ms {data}"
    symbol = f"{finding.symbol}@{'/'.join(map(str, values))}"
    return f"{symbol} {_numbers(finding, values)} {data}"


def _numbers(finding: Finding, values: Sequence[int]) -> str:
    known = finding.recalls
    return " / ".join(f"{known[n]:.1f}" if n in known else UNKNOWN for n in values)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paper", choices=PAPERS, required=True)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="[runs]"
    )
    parser.add_argument("--json", action="store_true", help="all that is known of each")
    return parse_with_overrides(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
