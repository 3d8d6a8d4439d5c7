"""Asks pip-audit for known flaws of the pinned packages, and counts what it looked up.

pip-audit says "No known vulnerabilities found" with status 0 although it looked up
nothing, as where its service cannot be reached.

python -m supply_chain.audit
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from supply_chain.pins import HASHED, differences, read_pins

CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 2
_PIP_AUDIT = (
    *("-m", "pip_audit", "--requirement", str(HASHED), "--require-hashes"),
    *("--disable-pip", "--progress-spinner", "off", "--format", "json"),
)


def summary(report: str, pins: dict[str, str]) -> tuple[str, int]:
    """Returns what to say, and the exit status.

    Args:
        report: JSON of pip-audit; empty or cut where it failed.
        pins: What must have been looked up.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return (
            "Not audited: pip-audit gave no report, see above. Is there a network?",
            NOT_AUDITED,
        )
    audited = {one["name"]: one["version"] for one in entries if "version" in one}
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in entries
        for flaw in one.get("vulns", [])
    ]
    missed = differences(pins, audited)
    if missed:
        found.append(
            f"Not audited: {len(missed)} of {len(pins)} packages, among them "
            f"{missed[0].split()[0]}. The vulnerability service was not reached, or "
            "does not know them; this is no result. Repeat it with a network."
        )
        return "\n".join(found), NOT_AUDITED
    if found:
        return "\n".join(found), VULNERABLE
    return f"{len(pins)} packages looked up, none has a known flaw.", CLEAN


def main() -> int:
    """Prints what is known; returns the exit status."""
    asked = subprocess.run(
        [sys.executable, *_PIP_AUDIT], capture_output=True, text=True, check=False
    )
    text, status = summary(asked.stdout, read_pins(HASHED))
    if not asked.stdout:
        print(asked.stderr, file=sys.stderr)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
