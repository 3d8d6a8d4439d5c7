"""What an input is, how it is written, and how its reading is judged."""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.watch import INPUT, Watch


@dataclass(frozen=True)
class Link:
    """A symbolic link.

    Attributes:
        target: As it is stored in the link.
    """

    target: str


class Pipe:
    """A named pipe, at which a reader waits for ever."""


# By path relative to the folder of the input; those of `OUTSIDE` lie beside it.
Content = bytes | Link | Pipe
Files = Mapping[str, Content]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        make: Returns the files of an input by their names.
        read: Reads the files in a folder; returns what must not be in what it read.
        errors: The documented errors of the reader.
        count: How many inputs a campaign reads.
    """

    make: Callable[[random.Random], Files]
    read: Callable[[Path], list[str]]
    errors: tuple[type[BaseException], ...]
    count: int = 10_000


class TooSlowError(BaseException):
    """An input took too long."""


def make_input(kind: Kind, name: str, seed: int, number: int, scratch: Path) -> Path:
    """Writes the files of one input; returns their folder."""
    for entry in scratch.iterdir() if scratch.is_dir() else ():
        remove(entry)
    folder = scratch / INPUT
    folder.mkdir(parents=True)
    for file, data in kind.make(random.Random(f"{seed}:{name}:{number}")).items():
        write(folder / file, data)
    return folder


def write(path: Path, data: Content) -> None:
    """Writes one file of an input."""
    path = Path(os.path.normpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif isinstance(data, Link):
        path.symlink_to(data.target)
    else:
        os.mkfifo(path)


def remove(path: Path) -> None:
    """Deletes a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def judge(kind: Kind, folder: Path, watch: Watch | None = None) -> tuple[bool, str]:
    """Reads one input; returns whether it was accepted, and the finding if any."""
    accepted, problems = False, list[str]()
    if watch:
        watch.start()
    try:
        problems = kind.read(folder)
        accepted = True
    except kind.errors as error:
        problems = list(_unclear(error))
    except (Exception, TooSlowError) as error:
        problems = [_described(error)]
    finally:
        touched = watch.stop() if watch else []
    return accepted, "; ".join([*touched, *problems])


def _unclear(error: BaseException) -> Iterable[str]:
    """Yields what is wrong with the message of a documented error."""
    if not str(error).strip():
        yield f"{type(error).__name__} without a message"


def _described(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "vpr_tf" in f.filename] or frames
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
    return f"{type(error).__name__} at {place}: {str(error)[:300]}"
