"""Command line of indexes: `python -m vpr_tf.place_index COMMAND --help`."""

from __future__ import annotations

import argparse
import errno
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence

from vpr_tf.cli.index.circle import with_joined_circle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Each module has add_arguments(parser) and run(options) -> exit status; its docstring
# is the help. Only the module that is asked for is imported.
_COMMANDS = {
    "build": "makes an index of photos or of a prepared dataset",
    "add": "adds photos to an index",
    "remove": "removes photos from an index",
    "compact": "merges what was added and removed, so that searches are fast again",
    "tune": "finds the fastest way to search an index, and sets it",
    "query": "finds the photos of an index that look like other photos",
    "inspect": "tells what an index holds, and draws a map of it",
    "verify": "compares every file of an index with its checksum",
}
_INTERRUPTED_STATUS, _BROKEN_PIPE_STATUS = 130, 141
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; an error is one clear message and status 2."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="python -m vpr_tf.place_index")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, description in _COMMANDS.items():
        command = commands.add_parser(name, help=description)
        if arguments[:1] == [name]:
            module = importlib.import_module(f"vpr_tf.cli.index.{name}")
            command.description = module.__doc__
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(command)
            command.set_defaults(run=_with_classifiers(module.run))
    options = parser.parse_args(with_joined_circle(arguments))
    try:
        status: int = options.run(options)
    except (ValueError, ImportError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE_STATUS
    except OSError as error:
        print(f"Error: {_explain(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command continues.", file=sys.stderr)
        return _INTERRUPTED_STATUS
    return status


def _with_classifiers(run: Callable[..., int]) -> Callable[..., int]:
    """Hands classifiers, which stand on retrieval, to a command that asks for them."""
    if "classifiers" not in inspect.signature(run).parameters:
        return run
    from vpr_tf.classification.index_classifier import FolderClassifiers

    return functools.partial(run, classifiers=FolderClassifiers())


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    text = f"{where}{error.strerror or error}."
    if error.errno in _FULL:
        return f"{text} Free some space; the same command continues."
    if error.errno in _FORBIDDEN:
        return f"{text} Make it readable and writable, or choose another place."
    return text


if __name__ == "__main__":
    sys.exit(main())
