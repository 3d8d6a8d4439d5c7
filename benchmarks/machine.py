"""On what a benchmark ran: machine, load, versions, commit."""

from __future__ import annotations

import datetime
import os
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.timing import describe_machine

_PACKAGES = (
    *("tensorflow", "keras", "scann", "numpy", "onnxruntime", "openvino"),
    *("faiss-cpu", "torch"),
)


def describe_run(size: str) -> dict[str, str]:
    """Returns what the figures of this moment belong to, in words.

    Args:
        size: Size of the benchmarks.
    """
    load = os.getloadavg()[0]
    return {
        "time": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "size": size,
        "machine": f"{_cpu()}; {describe_machine()}; load {load:.1f}",
        "versions": ", ".join(_versions()),
        "commit": _commit(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown CPU"
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else "unknown CPU"


def _versions() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
