"""`vpr` in tests: in this process, with words of any type."""

from collections.abc import Callable
from pathlib import Path

from vpr_tf.cli import main


def vpr(*words: object) -> int:
    return main([str(word) for word in words])


def command(name: str) -> Callable[[list[str]], int]:
    """One command, as a function of the words after it."""
    return lambda words: vpr(*name.split(), *words)


def on_index(name: str, index: Path, *words: object) -> int:
    """A command on an index: `query`, or one of `vpr index`."""
    first = (name,) if name == "query" else ("index", name)
    return vpr(*first, "--index", index, *words)
