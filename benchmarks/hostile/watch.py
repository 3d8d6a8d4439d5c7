"""Sees what a process does besides reading its input: by audit events and inotify."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import Any

import vpr_tf

INPUT, OUTSIDE = "input", "outside"
# An absolute path to `outside/` that is the same in every process and folder.
ABSOLUTE_OUTSIDE = f"/proc/self/cwd/{OUTSIDE}"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events that change the file system, with the positions of paths and of folders that
# they are relative to.
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
}
_LISTINGS = {"os.listdir", "os.scandir", "os.chdir"}
_NEVER = {
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
    *("subprocess.Popen", "pty.spawn", "pickle.find_class", "os.startfile"),
    *("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"),
    *("socket.gethostbyname", "urllib.Request", "ftplib.connect", "smtplib.connect"),
}
_READ_BY_THE_PROGRAM = (
    *("/proc/", "/sys/", "/dev/", "/etc/ld.so", "/etc/localtime", "/etc/mime"),
    *("/usr/", "/lib", sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")),
    *(str(Path(vpr_tf.__file__).parents[1]), *sys.path[1:]),
)

# Of inotify(7).
_ACCESS, _MODIFY, _ATTRIB, _OPEN = 0x1, 0x2, 0x4, 0x20
_MOVED, _CREATE, _DELETE, _DELETE_SELF = 0xC0, 0x100, 0x200, 0x400
_IS_FOLDER, _NONBLOCK = 0x40000000, os.O_NONBLOCK
_EVENT = struct.Struct("iIII")
_NAMES = {_ACCESS: "read", _MODIFY: "written", _ATTRIB: "changed", _OPEN: "opened"}


class Watch:
    """What the process touches between `start` and `stop`.

    Args:
        scratch: Holds `input/` and `outside/`; what lies beside it may be written.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch.resolve()
        self._found: list[str] = []
        self._is_on = False
        self._inside = threading.local()
        self._events = -1
        self._libc = ctypes.CDLL(None, use_errno=True)
        sys.addaudithook(self._see)

    def start(self) -> None:
        """Looks from now on."""
        self._found = []
        outside = self._scratch / OUTSIDE
        if outside.is_dir():
            self._events = self._libc.inotify_init1(_NONBLOCK)
            mask = _ACCESS | _MODIFY | _ATTRIB | _OPEN | _MOVED | _CREATE | _DELETE
            for folder, _, _ in os.walk(outside):
                self._libc.inotify_add_watch(self._events, os.fsencode(folder), mask)
            self._drained()
        self._is_on = True

    def stop(self) -> list[str]:
        """Looks no more; returns what was touched that must not be."""
        self._is_on = False
        seen = list(dict.fromkeys(self._found))
        if self._events >= 0:
            seen += [f"outside {what}" for what in self._drained()]
            os.close(self._events)
            self._events = -1
        return seen[:20]

    def _drained(self) -> list[str]:
        """Returns the events of inotify since the last call."""
        found: dict[str, None] = {}
        while True:
            try:
                data = os.read(self._events, 1 << 16)
            except BlockingIOError:
                return list(found)
            while data:
                _, mask, _, length = _EVENT.unpack_from(data)
                name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
                data = data[_EVENT.size + length :]
                what = _NAMES.get(mask & ~_IS_FOLDER, "made, moved or deleted")
                found[f"{what}: {name.decode(errors='replace')}"] = None

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on or getattr(self._inside, "busy", False):
            return
        self._inside.busy = True
        try:
            if event in _NEVER:
                self._found.append(f"{event} {str(arguments)[:200]}")
            elif event == "open":
                self._see_open(*arguments)
            elif event in _LISTINGS:
                self._see_read(event, arguments[0])
            for at, folder_at in _CHANGES.get(event, ()):
                folder = -1 if folder_at is None else arguments[folder_at]
                self._see_write(event, arguments[at], folder)
        finally:
            self._inside.busy = False

    def _see_open(self, path: Any, mode: Any, flags: int) -> None:
        if flags & _WRITING:
            self._see_write("open to write", path)
        else:
            self._see_read("open", path)

    def _see_write(self, event: str, path: Any, folder: Any = -1) -> None:
        real = self._real(path, folder)
        if real is None or real == os.devnull:
            return
        if self._is_outside(real) or not self._is_own(real):
            self._found.append(f"{event} {real}")

    def _see_read(self, event: str, path: Any) -> None:
        real = self._real(path, -1)
        if real is None or (self._is_own(real) and not self._is_outside(real)):
            return
        if self._is_outside(real) or not real.startswith(_READ_BY_THE_PROGRAM):
            self._found.append(f"{event} {real}")

    def _real(self, path: Any, folder: Any) -> str | None:
        """Returns where a path leads; None for a number of an open file."""
        if path is None or isinstance(path, int):
            return None
        name = Path(os.fsdecode(path))
        if isinstance(folder, int) and folder >= 0:
            name = Path("/proc/self/fd", str(folder)) / name
        try:
            parent = name.parent.resolve()
            is_gone = parent.name.endswith(" (deleted)")
            return None if is_gone else str((parent / name.name).resolve())
        except (OSError, ValueError, RuntimeError):
            return None

    def _is_own(self, real: str) -> bool:
        own = self._scratch.parent
        return real == str(own) or real.startswith(f"{own}/")

    def _is_outside(self, real: str) -> bool:
        outside = f"{self._scratch}/{OUTSIDE}"
        return real == outside or real.startswith(f"{outside}/")


def use_scratch(folder: Path) -> Path:
    """Returns the working folder in a folder that also has a place for temporary files.

    The process works there from now on, so that `ABSOLUTE_OUTSIDE` leads beside it.
    """
    temporary, scratch = folder / "tmp", folder / "work"
    for path in (temporary, scratch):
        path.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    os.chdir(scratch)
    return scratch
