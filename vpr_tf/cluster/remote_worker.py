"""What runs on the machines of a cluster, in a process of its own."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vpr_tf.cluster.errors import ClusterError

# What a descriptor or a decoded pixel depends on.
_PACKAGES = ("tensorflow", "keras", "numpy", "pillow")


class SeenFile(NamedTuple):
    """A file that every machine must see, and its size."""

    path: str
    num_bytes: int


@dataclass(frozen=True)
class MachineCheck:
    """What a machine must have in common with that of the command.

    Attributes:
        folder: The working folder of the command: its paths may be relative.
        versions: Of Python and of packages.
    """

    folder: str
    versions: dict[str, str]

    @classmethod
    def of_this(cls) -> MachineCheck:
        """Returns the check of other machines against this one."""
        return cls(str(Path.cwd()), _installed_versions())

    def enter(self) -> None:
        """Goes to the folder, on another machine.

        Raises:
            ClusterError: It is not there, or versions differ.
        """
        own = _installed_versions()
        others = [
            f"{name} {own[name]}, not {version}"
            for name, version in self.versions.items()
            if own[name] != version
        ]
        if others:
            raise ClusterError(
                f"{socket.gethostname()} has {'; '.join(others)}, and results would "
                "not be those of one machine. Install the same on all machines."
            )
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise _not_seen(self.folder, str(error.strerror)) from error


class RemoteWorker:
    """Does units of work; an actor of Ray.

    What a function raises is returned: as Ray's error it would come with the calls that
    led to it, and without what its class says.
    """

    def __init__(self) -> None:
        self._held: tuple[Any, ...] = ()
        self._seen: set[SeenFile] = set()

    def start(
        self,
        check: MachineCheck,
        hold: Callable[..., Any] | None,
        *arguments: Any,
    ) -> Exception | None:
        """Makes what the functions get as their first argument.

        Args:
            check: Of this machine.
            hold: What makes it; None for functions that take a task alone.
            arguments: Of `hold`.
        """
        try:
            check.enter()
            if hold is not None:
                self._held = (hold(*arguments),)
        except Exception as error:
            return error
        return None

    def run(
        self,
        sees: Sequence[SeenFile],
        function: Callable[..., Any],
        task: tuple[Any, ...],
    ) -> tuple[Any, Exception | None]:
        """Returns what a function makes of a unit, or what it raised."""
        try:
            require_seen(set(sees) - self._seen)
            self._seen.update(sees)
            return function(*self._held, *task), None
        except Exception as error:
            return None, error


def seen_files(paths: Iterable[Path]) -> tuple[SeenFile, ...]:
    """Returns those of some files that are there, for other machines to compare."""
    existing = [path.absolute() for path in paths if path.is_file()]
    return tuple(SeenFile(str(path), path.stat().st_size) for path in existing)


def require_seen(files: Iterable[SeenFile]) -> None:
    """Compares files with those that the machine of the command sees.

    Raises:
        ClusterError: One is not there, or has another size.
    """
    for file in files:
        try:
            num_bytes = Path(file.path).stat().st_size
        except OSError as error:
            raise _not_seen(file.path, str(error.strerror)) from error
        if num_bytes != file.num_bytes:
            there = f"{num_bytes:,} bytes instead of {file.num_bytes:,}"
            raise _not_seen(file.path, there)


def _installed_versions() -> dict[str, str]:
    """Returns what must be the same on all machines for results to be the same."""
    version = importlib.import_module("vpr_tf").__version__
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    own = {"vpr_tf": version, "python": platform.python_version()}
    return own | packages


def _not_seen(path: str, reason: str) -> ClusterError:
    return ClusterError(
        f"{socket.gethostname()} does not see {path} as this machine does ({reason}). "
        "Photos, datasets and results of --ray lie in folders that all machines have "
        "under the same path, as by NFS. Mount it there; the same command continues."
    )
