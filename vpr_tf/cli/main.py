"""Runs one command: parses, explains errors, and owns the exit status.

0: done. 1: done in part, or something damaged was found. 2: refused; one message says
why. 130: interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import json
import math
import os
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from vpr_tf._tensorflow_lines import hide_tensorflow_warnings
from vpr_tf.cli.commands import (
    COMMANDS,
    FIRST_STEPS,
    GROUPS,
    help_text,
    unknown_text,
)
from vpr_tf.cluster import using_cluster
from vpr_tf.disk_errors import is_full
from vpr_tf.engine_choice import using_engine
from vpr_tf.milvus_address import addresses_given_within
from vpr_tf.paths import expand_word
from vpr_tf.printable import printable_streams
from vpr_tf.trusted_models import trusting_models

DONE, PARTLY, REFUSED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_HELP = ("-h", "--help")
_MOST_WORDS = 3  # of the name of a command
_LINE_START = re.compile(r"\n(?!  )")


class UsageError(ValueError):
    """A command line that cannot be parsed."""


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Attributes:
        content: For programs: what `--json` prints.
        text: For people.
        status: The exit status.
    """

    content: Any
    text: str = ""
    status: int = DONE


class Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Raises a `UsageError`."""
        hint = ""
        if message.startswith("unrecognized arguments: -"):
            hint = " Names that begin with - go behind --."
        raise UsageError(f"{message}. See `{self.prog} --help`.{hint}")


def main(arguments: Sequence[str] | None = None, *, program: str = "vpr") -> int:
    """Runs a command line and returns the exit status.

    Args:
        arguments: Words after the program; None for those of the process.
        program: How the program is called in messages.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        print(FIRST_STEPS)
        return DONE
    if words[0] == "--version":
        from vpr_tf import __version__

        print(f"vpr {__version__}")
        return DONE
    group = _first_of(GROUPS, words)
    rest = words[len(group.split()) :]
    if words[0] in _HELP or (group and (not rest or rest[0] in _HELP)):
        print(help_text(program, group))
        return DONE
    try:
        with addresses_given_within(), printable_streams():
            return _guarded(words, program)
    except SystemExit as end:  # --help
        return int(end.code or DONE)


def _guarded(words: list[str], program: str) -> int:
    """Runs a command; an error is one clear message."""
    try:
        name = _command_name(words, program)
        return _run(name, words[len(name.split()) :], program)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command continues.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if os.environ.get("VPR_TRACEBACK") or not _is_explained(error):
            raise
        # A name in it cannot begin a line as if it was one of the program's.
        text = _LINE_START.sub("\n  ", _explain(error))
        print(f"Error: {text}", file=sys.stderr)
        return getattr(error, "exit_status", REFUSED)


def _command_name(words: list[str], program: str) -> str:
    """Returns the command that the first words name."""
    name = _first_of(COMMANDS, words)
    if name:
        return name
    group = _first_of(GROUPS, words)
    if group:
        start = f"{group} "
        known = [c.removeprefix(start) for c in COMMANDS if c.startswith(start)]
        unknown = words[len(group.split())]
        raise UsageError(unknown_text(unknown, known, f"{program} {group}"))
    known = [*COMMANDS, *GROUPS]
    raise UsageError(unknown_text(words[0], known, program))


def _first_of(known: Collection[str], words: list[str]) -> str:
    """Returns the longest name of several that words begin with; empty for none."""
    for count in range(_MOST_WORDS, 0, -1):
        name = " ".join(words[:count])
        if name in known:
            return name
    return ""


def _run(name: str, words: list[str], program: str) -> int:
    hide_tensorflow_warnings()
    module = importlib.import_module(command_module(name))
    options = parse(module, words, f"{program} {name}")
    if getattr(options, "print_config", False):
        from vpr_tf.cli.options import config_text

        print(config_text(options), end="")
        return DONE
    as_json = getattr(options, "json", False)
    # What the library prints on its way is not part of the JSON.
    printed = contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout)
    trusting = trusting_models(getattr(options, "trust_model", False))
    using = using_engine(
        getattr(options, "engine", None), getattr(options, "encoder_url", None)
    )
    cluster = using_cluster(getattr(options, "ray", None))
    with printed, trusting, using, cluster:
        outcome = module.run(options)
    if isinstance(outcome, int):
        return outcome
    if as_json:
        print(json.dumps(_json_ready(outcome.content), indent=2, allow_nan=False))
    elif outcome.text:
        print(outcome.text)
    return int(outcome.status)


def command_module(name: str) -> str:
    """Returns the module of a command, e.g. of `index build`."""
    return f"vpr_tf.cli.{name.replace(' ', '.').replace('-', '_')}"


def parse(module: ModuleType, words: Sequence[str], program: str) -> Any:
    """Parses the words after a command.

    Args:
        module: Of the command.
        words: Its arguments.
        program: The words before.

    Raises:
        UsageError: They do not fit the command.
        ValueError: A path names a variable that is not defined.
    """
    parser = Parser(
        program,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser.parse_intermixed_args(_joined([*map(expand_word, words)]))


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "message", error)).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _json_ready(value: Any) -> Any:
    """Returns a value with null for numbers that are not known."""
    if isinstance(value, dict):
        return {str(key): _json_ready(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _joined(words: Sequence[str]) -> list[str]:
    """Says of words that look like options what they are.

    They are a southern latitude after `--within`, and any word after `--`, which is a
    path: argparse forgets that mark where options and other words are intermixed.
    """
    joined: list[str] = []
    for number, word in enumerate(words):
        if word == "--":
            rest = words[number + 1 :]
            return joined + [f"./{w}" if w.startswith("-") else w for w in rest]
        if joined and joined[-1] == "--within" and word.startswith("-"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _is_explained(error: Exception) -> bool:
    """Whether a message says what is wrong; else it is a fault of the program."""
    known = (ValueError, RuntimeError, ImportError, OSError, MemoryError)
    return isinstance(error, known) or _is_of_tensorflow(error)


def _is_of_tensorflow(error: Exception) -> bool:
    errors = getattr(sys.modules.get("tensorflow"), "errors", None)
    return errors is not None and isinstance(error, errors.OpError)


def _explain(error: Exception) -> str:
    if is_full(error) and not isinstance(error, ValueError | RuntimeError | OSError):
        return f"{_first_line(error)}. Free some space; the same command continues."
    if isinstance(error, MemoryError) or (
        _is_of_tensorflow(error) and type(error).__name__ == "ResourceExhaustedError"
    ):
        return (
            "Not enough memory. Use smaller batches (`train.batch_size`, "
            f"`evaluation.batch_size`) or smaller images. Cause: {_first_line(error)}"
        )
    if _is_of_tensorflow(error):
        return f"TensorFlow: {_first_line(error)}. VPR_TRACEBACK=1 shows where."
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    text = f"{where}{error.strerror or error}."
    if error.errno in _FULL:
        return f"{text} Free some space; the same command continues."
    if error.errno in _FORBIDDEN:
        return (
            f"{text} Make it readable and writable, or choose another place: by "
            "`--output` where the command has it."
        )
    return text
