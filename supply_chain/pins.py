"""Packages that a requirements file pins."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
HASHED = ROOT / "requirements-hashed.txt"


def read_pins(path: Path) -> dict[str, str]:
    """Returns the version of each package, by its canonical name.

    Raises:
        ValueError: A line pins no version.
    """
    pins: dict[str, str] = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        text = line.partition("#")[0].partition("--hash")[0].strip()
        if not text:
            continue
        name, _, version = text.partition("==")
        if str(Requirement(text).specifier) != f"=={version}":
            raise ValueError(
                f"{path}: every line must be name==version. Received: {text!r}"
            )
        pins[canonicalize_name(name)] = version
    return pins


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Returns what is missing or of another version, a line each."""
    return [
        f"{name} must be {version}. Received: {found.get(name, 'nothing')}"
        for name, version in expected.items()
        if found.get(name) != version
    ]
