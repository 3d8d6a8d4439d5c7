"""All commands of `vpr`, in the order of their use.

The command `index build` is the module `vpr_tf.cli.index.build`: its docstring is the
help, `add_arguments(parser)` declares its options, `run(options)` does it and returns
the exit status or an `Outcome`. Only the module of the command is imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

COMMANDS = {
    "data build": "builds a dataset from images",
    "data partition": "adds a named partition to a built dataset",
    "data inspect": "prints and draws what a dataset holds",
    "data preview": "draws images, classes and what augmentation makes of them",
    "data synthesize": "draws a miniature city",
    "data add-test": "adds test sets to a built dataset",
    "data datasets list": "lists the public datasets that are known",
    "data datasets show": "says what a public dataset is and how to get it",
    "data datasets prepare": "checks a public dataset and lists its photos",
    "photos check": "flags photos that are blurred, damaged, copies, ...",
    "photos coverage": "shows where photos are missing, old or few",
    "train": "trains an encoder, tests and exports it",
    "sweep": "trains every combination of values, and ends in one table",
    "evaluate": "measures recall and errors in metres",
    "compare": "puts the reports of runs into one table, and tests them",
    "index build": "makes an index of photos or of a prepared dataset",
    "index add": "adds photos to an index",
    "index remove": "removes photos from an index",
    "index compact": "merges what was added and removed, for the full speed",
    "index tune": "finds the fastest way to search an index, and sets it",
    "index calibrate": "gives an index or heads their confidence",
    "index inspect": "shows what an index holds, and draws a map of it",
    "index verify": "compares every file of an index with its checksum",
    "index sign": "signs an index, so that others see whom it is from",
    "query": "finds the photos of an index that look like other photos",
    "localize": "finds where photos were taken",
    "serve": "answers by HTTP where photos were taken, with a page",
    "export": "writes a SavedModel of an encoder for TF Serving",
    "convert": "converts checkpoints of other projects, and back",
    "whiten": "adds PCA whitening to an encoder",
    "adapt": "adapts an encoder to photos of another kind",
    "keys add": "makes a key for a user of the service",
    "keys list": "lists the keys of a service",
    "keys remove": "removes a key of a service",
    "models list": "lists the encoders that are known by name",
    "models show": "describes one encoder",
    "models parity": "compares an encoder with the official network",
}
GROUPS = {
    "data": "datasets: build, partition, inspect, ...",
    "data datasets": "public datasets: list, show, prepare",
    "photos": "photos before anything is built on them: check, coverage",
    "index": "an index: build, add, calibrate, ...",
    "keys": "who may ask a service: add, list, remove",
    "models": "encoders: list, show, parity",
}
FIRST_STEPS = """\
vpr: where was a photo taken? City-scale visual place recognition.

  vpr index build --index city.index --photos DIR --model cosplace_resnet50_512
  vpr localize --index city.index PHOTO...      where were these photos taken?
Train an encoder of your own:
  vpr data synthesize --output datasets/quickstart_images
  vpr data build --config configs/quickstart.yaml
  vpr train --config configs/quickstart.yaml
All commands: `vpr --help`; one of them: `vpr COMMAND --help`."""


def help_text(program: str, group: str = "") -> str:
    """Returns the list of all commands, or of those of a group."""
    if group:
        start = f"{group} "
        rows = {
            name.removeprefix(start): text
            for name, text in COMMANDS.items()
            if name.startswith(start)
        }
        return _listing(f"{program} {group}", GROUPS[group], rows)
    rows = {}
    for name, text in COMMANDS.items():
        first = name.split()[0]
        rows[first] = GROUPS.get(first, text)
    return _listing(program, "City-scale visual place recognition.", rows)


def unknown_text(word: str, known: Iterable[str], program: str) -> str:
    """Returns what to say of a command that there is not."""
    near = difflib.get_close_matches(word, known, n=1)
    hint = f" Did you mean `{program} {near[0]}`?" if near else ""
    return f"No command {program} {word}.{hint} See `{program} --help`."


def _listing(program: str, title: str, rows: dict[str, str]) -> str:
    width = max(map(len, rows)) + 2
    lines = [f"  {name:<{width}}{text}" for name, text in rows.items()]
    head = f"usage: {program} COMMAND ...\n\n{title}\n\ncommands:"
    return "\n".join([head, *lines, "", f"See `{program} COMMAND --help`."])
