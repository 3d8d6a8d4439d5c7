"""Command line of data preparation: `python -m data_prep COMMAND --help`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from data_prep.errors import DataPrepError
from vpr_tf.config import ConfigError
from vpr_tf.data.prepared_dataset import DatasetError
from vpr_tf.photos import PhotoSourceError

# Each module offers add_arguments(parser) and run(arguments) -> exit status.
_COMMANDS = {
    "build": ("data_prep.build", "builds a dataset from images"),
    "partition": (
        "data_prep.partition.command",
        "adds a named partition to a built dataset",
    ),
    "inspect": (
        "data_prep.inspection.command",
        "prints and draws what a dataset holds",
    ),
    "synthesize": ("data_prep.synthesize.command", "draws a miniature city"),
}
_INTERRUPTED_STATUS = 130
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TFDS imports TensorFlow


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; an error is one clear message and status 2."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(prog="python -m data_prep")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, description) in _COMMANDS.items():
        command = commands.add_parser(name, help=description, description=description)
        if argv[:1] == [name]:  # only what is asked for is imported
            module = importlib.import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (ConfigError, DataPrepError, DatasetError, PhotoSourceError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command, run again, continues.", file=sys.stderr)
        return _INTERRUPTED_STATUS
    return status


if __name__ == "__main__":
    sys.exit(main())
