"""Prints `docs/licences.md`: what the packages of `constraints.txt` say themselves.

python -m supply_chain.licences > docs/licences.md
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply_chain.pins import CONSTRAINTS, ROOT, read_pins

_HEAD = """\
# Licences

What the packages of `constraints.txt` state in their metadata, as they word it. Written
by `make licences`; it is no legal advice. "Needed by" says what brings a package:
vpr_tf itself, an extra, or development alone (tests, docs, linters), which users do not
install.

| package | version | licence | needed by |
| --- | --- | --- | --- |
"""
_LONGEST = 60  # characters; longer is the text of a licence, not its name
_DEVELOPMENT = "dev"


def page() -> str:
    """Returns the page."""
    needed = needed_by()
    rows = [
        f"| {name} | {version} | {licence(distribution(name))} | "
        f"{needed.get(name, 'development')} |"
        for name, version in sorted(read_pins(CONSTRAINTS).items())
    ]
    return _HEAD + "\n".join(rows) + "\n"


def licence(package: Distribution) -> str:
    """Returns the licence that a package states, or what its licence file begins with.

    Args:
        package: An installed package.
    """
    metadata = package.metadata
    fields = [metadata.get_all(name) for name in ("License-Expression", "License")]
    stated = next((values[0] for values in fields if values), "")
    if stated == "UNKNOWN":
        stated = ""
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License :: ")
    ]
    lines = [line.strip() for line in stated.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) <= _LONGEST:
        return lines[0]
    if classifiers:
        return ", ".join(classifiers)
    if lines:
        return lines[0][:_LONGEST]
    return f"states none; {_licence_file(package)}"


def needed_by() -> dict[str, str]:
    """Returns what brings each package, development left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = dict.fromkeys(_closure(project["dependencies"]), "vpr_tf")
    for extra, requirements in project["optional-dependencies"].items():
        if extra != _DEVELOPMENT:
            for name in _closure(requirements):
                needed.setdefault(name, f"extra `{extra}`")
    return needed


def _closure(requirements: Iterable[str]) -> set[str]:
    """Returns the packages that requirements bring."""
    found: set[tuple[str, str]] = set()
    waiting = [*requirements]
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += _requirements(name, extra)
    return {name for name, _ in found}


def _requirements(name: str, extra: str) -> Iterator[str]:
    for text in requires(name) or []:
        marker = Requirement(text).marker
        if marker is None or marker.evaluate({"extra": extra}):
            yield text


def _licence_file(package: Distribution) -> str:
    for path in package.files or []:
        if path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            lines = [line.strip() for line in path.read_text().splitlines()]
            named = [line for line in lines if "licen" in line.lower()]
            words = (named or lines)[0].partition(" (")[0][:_LONGEST]
            return f"its {path.name} file says: {words}"
    return "and has no licence file"


if __name__ == "__main__":
    print(page(), end="")
