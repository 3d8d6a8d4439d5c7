"""The work folder of a build: who writes, what is being built, from what."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.shards import read_state, write_atomically
from vpr_tf.atomic_files import sweep_leftovers
from vpr_tf.config import (
    DEFAULT_QUALITY,
    BuildConfig,
    DatabaseAndQueries,
    PartitionConfig,
    as_dict,
)
from vpr_tf.data.dataset_manifest import DatasetError, read_manifest
from vpr_tf.photos.schema import ROW_DTYPE
from vpr_tf.stored_paths import StoredPathError, files_inside
from vpr_tf.work_folder import (
    ForeignFolderError,
    claim_folder,
    delete_folder,
    open_lock,
)

LISTING_NAME = "listing.bin"  # of a split folder
_LOCK_FILE = "lock"
# They change neither the records nor their order.
_NOT_IN_THE_RESULT = ("workers", "max_rejected_fraction")
_SECTIONS = ("reading", "area", "quality")
_SET_DEFAULTS = as_dict(DatabaseAndQueries())


@dataclass(frozen=True)
class _State:
    build: dict[str, Any]
    source_fingerprint: str
    row_bytes: int = 0  # of the scanned photos


def build_parameters(build: BuildConfig) -> dict[str, Any]:
    """Returns the fields of a build config that decide what is written."""
    parameters = as_dict(build)
    for name in _NOT_IN_THE_RESULT:
        del parameters[name]
    return _without_thresholds(parameters)


class BuildFolder:
    """`<dataset>/.build/`: locked while a build runs, removed when it is complete.

    Args:
        dataset_path: The dataset folder; made if missing.
        parameters: What is being built, from `build_parameters`.

    Raises:
        DataPrepError: Another build runs there, the folder holds something else, or
            it cannot be written.
    """

    def __init__(self, dataset_path: Path, parameters: dict[str, Any]) -> None:
        self.dataset_path = dataset_path
        self.path = dataset_path / ".build"
        self._parameters = parameters
        self._state_path = self.path / "build.json"
        self._stopped_path = self.path / "stopped"
        try:
            with wrap_disk_errors(dataset_path):
                dataset_path.mkdir(parents=True, exist_ok=True)
                self._refuse_foreign_files()
                files_inside(dataset_path)  # also what will be written over
                claim_folder(self.path, _LOCK_FILE)
                self._lock = open_lock(self.path, _LOCK_FILE)
        except (ForeignFolderError, StoredPathError) as error:
            raise DataPrepError(str(error)) from error
        except OSError as error:
            raise DataPrepError(
                f"Cannot make the folder {dataset_path}: {error.strerror}. Choose "
                "another `dataset.path`."
            ) from error
        self._take_lock(self._lock)

    @property
    def manifest_path(self) -> Path:
        """Its presence says that the dataset is complete."""
        return self.dataset_path / "manifest.json"

    def split_folder(self, split: str) -> Path:
        """Returns the work folder of a split."""
        folder = self.path / split
        folder.mkdir(exist_ok=True)
        return folder

    def is_complete(self, source_fingerprint: str) -> bool:
        """Whether the dataset is complete.

        Raises:
            DataPrepError: It was built from another config or source, or lacks test
                sets of the config.
        """
        manifest = self._manifest()
        if manifest is None:
            return False
        wanted = self._parameters["tests"]
        built = dict(manifest.get("build", {}))
        known = {**built.get("tests", {})}
        added = manifest.get("added_tests", {})
        known |= {name: added[name]["test"] for name in wanted if name in added}
        new = {name: wanted[name] for name in wanted if name not in known}
        self._refuse_other_config(built | {"tests": known | new})
        if new:
            raise DataPrepError(
                f"{self.dataset_path} is complete without the test sets "
                f"{', '.join(new)}. Add them with `vpr data add-test --config FILE "
                "NAME=DATABASE,QUERIES`."
            )
        self._refuse_other_source(
            manifest.get("source_fingerprint"), source_fingerprint
        )
        return True

    def added_splits(self) -> set[str]:
        """Names the splits that were added to a complete dataset."""
        added = (self._manifest() or {}).get("added_tests", {})
        return {name for entry in added.values() for name in entry["splits"]}

    def _manifest(self) -> dict[str, Any] | None:
        if not self.manifest_path.is_file():
            return None
        try:
            return read_manifest(self.manifest_path)
        except DatasetError as error:
            raise DataPrepError(
                f"{error} To build it again, delete {self.dataset_path} first."
            ) from error

    def begin_or_continue(
        self, source_fingerprint: str, *, starts_over: bool = False
    ) -> None:
        """Starts a build, or checks that the unfinished one is the same.

        Args:
            source_fingerprint: Of the sources.
            starts_over: Forgets an unfinished build of something else.

        Raises:
            DataPrepError: The unfinished build has another config or source.
        """
        if self._state_path.is_file():
            known = read_state(_State, self._state_path)
            try:
                self._refuse_other_config(known.build)
                self._refuse_other_source(known.source_fingerprint, source_fingerprint)
            except DataPrepError:
                if not (starts_over or self._stopped_path.exists()):
                    raise
                self._start_over()
            else:
                if known.row_bytes != ROW_DTYPE.itemsize:  # of an older program
                    self._start_over()
        self._remove_temporary_files()
        state = {
            "build": self._parameters,
            "source_fingerprint": source_fingerprint,
            "row_bytes": ROW_DTYPE.itemsize,
        }
        write_atomically(self._state_path, json.dumps(state).encode())
        self._stopped_path.unlink(missing_ok=True)

    def mark_stopped(self) -> None:
        """Notes that too much was rejected, so that another source may follow."""
        self._stopped_path.touch()

    def remove(self) -> None:
        """Removes the work folder of a complete build."""
        delete_folder(self.path, _LOCK_FILE)

    def __enter__(self) -> BuildFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:  # a half-written shard may be what fills the disk
            self._remove_temporary_files()
        os.close(self._lock)

    def _remove_temporary_files(self) -> None:
        sweep_leftovers(self.dataset_path, left_after_s=0)
        for folder in self.path.iterdir():
            if folder.is_dir():
                sweep_leftovers(folder, left_after_s=0)

    def _refuse_foreign_files(self) -> None:
        if self.manifest_path.exists() or self.path.exists():
            return
        first = next(self.dataset_path.iterdir(), None)
        if first is not None:
            raise DataPrepError(
                f"{self.dataset_path} holds other files ({first.name}, ...). Choose an "
                "empty or new folder as `dataset.path`."
            )

    def _take_lock(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise DataPrepError(
                f"Another build is writing to {self.dataset_path}. Wait for its end."
            ) from None

    def _refuse_other_config(self, known: dict[str, Any]) -> None:
        known = _with_defaults(known)
        changes = _differences(known, json.loads(json.dumps(self._parameters)))
        if changes:
            raise DataPrepError(
                f"{self.dataset_path} was built from another config: {changes}. Choose "
                "another `dataset.path`, or delete the folder to build it anew."
            )

    def _refuse_other_source(self, known: str | None, source: str) -> None:
        if known != source:
            raise DataPrepError(
                f"{self.dataset_path} was built from other files: images were added, "
                "removed or changed since. Choose another `dataset.path`, or delete "
                "the folder to build it anew."
            )

    def _start_over(self) -> None:
        """Forgets what was scanned; the lists of the sources are new."""
        for file in self.path.glob("*/*"):
            if file.name != LISTING_NAME:
                file.unlink()
        self._state_path.unlink()


def _without_thresholds(parameters: dict[str, Any]) -> dict[str, Any]:
    """Forgets thresholds of flags where no flag leaves out a photo."""
    if parameters["quality"]["exclude"]:
        return parameters
    return parameters | {"quality": as_dict(DEFAULT_QUALITY)}


def _with_defaults(known: dict[str, Any]) -> dict[str, Any]:
    """Fills in fields that the program did not have when the folder was begun."""
    defaults = as_dict(BuildConfig())
    partition = PartitionConfig.from_parameters(known.get("partition", {}))
    partly = {n: {**defaults[n], **known.get(n, {})} for n in _SECTIONS}
    tests = known.get("tests", {})
    sets = {
        "tests": {name: _SET_DEFAULTS | entry for name, entry in tests.items()},
        "val": known.get("val") and _SET_DEFAULTS | known["val"],
    }
    known = {**known, "partition": as_dict(partition), **partly, **sets}
    filled = _without_thresholds({**defaults, **known})
    return {name: filled[name] for name in filled if name not in _NOT_IN_THE_RESULT}


def _differences(known: Any, wanted: Any, name: str = "build") -> str:
    """Lists the fields that differ, as `build.x: 1 there, 2 here`."""
    if known == wanted:
        return ""
    if isinstance(known, dict) and isinstance(wanted, dict):
        names = [*known, *(key for key in wanted if key not in known)]
        parts = (
            _differences(known.get(key), wanted.get(key), f"{name}.{key}")
            for key in names
        )
        return "; ".join(part for part in parts if part)
    return f"{name} is {known!r} there, {wanted!r} here"
