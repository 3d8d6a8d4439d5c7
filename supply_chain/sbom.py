"""Compares a CycloneDX bill of materials with `constraints.txt`.

python -m supply_chain.sbom dist/sbom.cdx.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

from supply_chain.pins import CONSTRAINTS, differences, read_pins


def components(path: Path) -> dict[str, str]:
    """Returns the version of each component, by its canonical name."""
    content = json.loads(path.read_text())
    return {
        canonicalize_name(one["name"]): one["version"] for one in content["components"]
    }


def main(path: Path) -> int:
    """Prints what the bill of materials lacks; returns the exit status."""
    found = components(path)
    lacking = differences(read_pins(CONSTRAINTS), found)
    for line in lacking:
        print(f"{path}: {line}", file=sys.stderr)
    if not lacking:
        print(f"{path}: {len(found)} components, every pinned one among them")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
