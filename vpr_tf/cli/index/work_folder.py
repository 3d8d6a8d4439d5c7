"""A folder beside an index, where a command keeps what it need not do again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import write_json
from vpr_tf.place_index.transaction import writer_lock
from vpr_tf.search import RetrievalError
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import read_json
from vpr_tf.work_folder import (
    LOCK_FILE,
    claim_folder,
    delete_folder,
    empty_folder,
    is_own,
)

_REQUEST_FILE = "request.json"
_ADDED = "added"
_MEANS = ("milvus_uri", "ray", "workers")


def work_folder(index: Path, doing: str) -> Path:
    """Returns where the work of a command on an index lies, e.g. `DIR.building`."""
    index = index.resolve()
    return index.with_name(f"{index.name}.{doing}")


def without_means(request: dict[str, Any]) -> dict[str, Any]:
    """Returns a request, JSON-ready, without what says how it is done, not what."""
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in request.items()
        if name not in _MEANS
    }


def is_of_request(work: Path, request: dict[str, Any]) -> bool:
    """Whether an earlier run of the same command left its work."""
    return _left_by(work, request) is not None


def added_by(work: Path, request: dict[str, Any]) -> list[str] | None:
    """Returns what an earlier run of the same command was about to add, if any."""
    return (_left_by(work, request) or {}).get(_ADDED)


def note_added(work: Path, request: dict[str, Any], keys: list[str]) -> None:
    """Notes what is about to be added: a run that is killed now may be done."""
    write_json(work / _REQUEST_FILE, {**request, _ADDED: keys})


def _left_by(work: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    if not is_own(work):
        return None
    try:
        left = read_json(inside(work, _REQUEST_FILE))
    except (OSError, ValueError):
        return None
    if not isinstance(left, dict):
        return None
    same = {name: value for name, value in left.items() if name != _ADDED} == request
    return left if same else None


@contextlib.contextmanager
def locked_work(work: Path, request: dict[str, Any]) -> Iterator[None]:
    """Holds a work folder, and deletes it at the end unless that is an error.

    What is in it is checked by whoever uses it, so it may be of another command.

    Args:
        work: The folder.
        request: JSON-ready: the command.

    Raises:
        RetrievalError: Another process has it.
        ForeignFolderError: It is not of this program.
    """
    claim_folder(work)
    try:
        with writer_lock(work, wait_s=0):
            write_json(work / _REQUEST_FILE, request)
            try:
                yield
            except BaseException:
                if not any(path.is_dir() for path in work.iterdir()):
                    delete_work(work)  # nothing was computed yet
                raise
            delete_work(work)
    except RetrievalError as error:
        if "Another process" not in str(error):
            raise
        raise RetrievalError(
            f"Another process is working in {work}. Wait for it, or end it."
        ) from error


def delete_work(work: Path) -> None:
    """Deletes a work folder; last what tells whose it was."""
    empty_folder(work, _REQUEST_FILE, LOCK_FILE)
    delete_folder(work)
