"""Writes the tables of a dataset's photos, and checks what has arrived.

Nothing in the source folder is moved, renamed, encoded or deleted: the tables name the
files where they lie.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_prep.datasets.photo_list import Adapter, PhotoList
from data_prep.datasets.registry import find_adapter
from data_prep.datasets.source_files import photos_in
from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.plan import CHUNK_ENTRIES
from vpr_tf.atomic_files import new_file, scratch_folder
from vpr_tf.config import DEFAULT_READING, ReadingConfig
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.photos import PhotoSource, RejectedPhoto
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.scan import scan_chunk
from vpr_tf.tables import Column, Table
from vpr_tf.terminal_bar import TerminalBar

PROBLEMS_NAME = "problems.csv"


@dataclass(frozen=True)
class SplitCheck:
    """What has arrived of a split.

    Attributes:
        split: Its name.
        expected: Photos that the authors state; None where they do not.
        num_listed: Photos that the dataset's own files or folders name.
        num_usable: Of them, those that are there, whole as far as their headers tell,
            and have a position that can be.
        num_left_out: Photos that the dataset has and the split does not.
        missing: Listed files that are not there.
        unusable: Files that are there and cannot be used, with the reason.
    """

    split: str
    expected: int | None
    num_listed: int
    num_usable: int
    num_left_out: int
    missing: tuple[str, ...]
    unusable: tuple[tuple[str, str], ...]

    @property
    def has_expected_count(self) -> bool:
        """Whether as many photos are listed as the authors state."""
        return self.expected is None or self.num_listed == self.expected

    @property
    def state(self) -> str:
        """One word or two for people."""
        if self.missing or self.unusable:
            return "incomplete"
        if not self.num_listed:
            return "empty"
        if not self.has_expected_count:
            return "other count"
        return "complete" if self.expected is not None else "no count stated"


@dataclass(frozen=True)
class PreparedTables:
    """What `prepare_dataset` wrote and found.

    Attributes:
        name: Of the dataset.
        source: The folder of the photos.
        folder: Where the tables are.
        checks: One for each split that is there.
        absent: Splits of the dataset of which nothing is there, with the number of
            photos that the authors state.
        extra: Photos that no list names, in folders of this dataset alone.
    """

    name: str
    source: Path
    folder: Path
    checks: tuple[SplitCheck, ...]
    absent: dict[str, int | None]
    extra: tuple[str, ...]

    @property
    def is_as_published(self) -> bool:
        """Whether nothing is missing, more, unusable or of another count."""
        is_whole = all(expected is None for expected in self.absent.values())
        return (is_whole and not self.extra) and all(
            check.num_listed
            and check.has_expected_count
            and not (check.missing or check.unusable)
            for check in self.checks
        )

    def table(self) -> Table:
        """Returns one line a split."""
        columns = [Column("split", "text"), Column("stated"), Column("listed")]
        columns += [Column("usable"), Column("missing"), Column("unusable")]
        columns += [Column("left out"), Column("state", "text")]
        rows: list[list[str | int | None]] = [
            [
                *(check.split, check.expected, check.num_listed, check.num_usable),
                *(len(check.missing), len(check.unusable), check.num_left_out),
                check.state,
            ]
            for check in self.checks
        ]
        rows += [
            [n, stated, 0, 0, 0, 0, 0, "not there"] for n, stated in self.absent.items()
        ]
        return Table("", columns, rows)

    def remedies(self) -> list[str]:
        """Returns what is wrong and what to do, a sentence each."""
        texts = []
        missing = [path for check in self.checks for path in check.missing]
        unusable = [one for check in self.checks for one in check.unusable]
        if missing:
            texts.append(
                f"{len(missing):,} listed files are missing, such as {missing[0]}: "
                f"unpack all archives below {self.source}, then run this again."
            )
        if unusable:
            path, why = unusable[0]
            texts.append(
                f"{len(unusable):,} files cannot be used, such as {path} ({why}): get "
                "them again."
            )
        if self.extra:
            texts.append(
                f"{len(self.extra):,} files are in no list, such as {self.extra[0]}: "
                "they are not used. Take them out of the folders of the dataset."
            )
        for check in self.checks:
            if not check.num_listed:
                texts.append(
                    f"{check.split} holds no photo, and no dataset can be built of it: "
                    f"unpack its photos below {self.source}, then run this again, or "
                    "leave it out of the config."
                )
            elif not check.has_expected_count:
                texts.append(
                    f"{check.split} has {check.num_listed:,} photos and the authors "
                    f"state {check.expected:,}: numbers measured on it are not "
                    "comparable. Get the dataset again, or say so beside them."
                )
        texts += [
            f"Of {name} nothing is there, and the authors state {stated:,} photos: "
            "unpack it, unless it is not needed."
            for name, stated in self.absent.items()
            if stated is not None
        ]
        return texts


def prepare_dataset(
    name: str,
    source: str | Path,
    output: str | Path,
    *,
    reading: ReadingConfig = DEFAULT_READING,
    progress: bool = True,
) -> PreparedTables:
    """Lists the photos of a dataset in tables, `<output>/<split>.csv`, and checks them.

    Every file's header is read. What is wrong is in `<output>/problems.csv`.

    Args:
        name: Of the dataset, see `dataset_names`.
        source: The folder that holds it as the authors hand it out.
        output: Folder of the tables, outside the source.
        reading: How names and tables are read.
        progress: Whether to draw progress bars.

    Raises:
        DataPrepError: There is no such dataset or folder, nothing of the dataset is in
            the source, or a file of it is not as it should be.
    """
    adapter = find_adapter(name)
    folder, output = Path(source), Path(output)
    if not folder.is_dir():
        raise DataPrepError(f"No folder at {folder}. Pass where {name} lies.")
    if output.resolve().is_relative_to(folder.resolve()):
        raise DataPrepError(
            f"The output {output} lies in the source {folder}, in which nothing is "
            "written. Choose a folder outside."
        )
    lists = list(adapter.find(folder, reading))
    if not lists:
        layout = adapter.description.layout.replace("\n", " ")
        raise DataPrepError(
            f"{folder} holds nothing of {name}. Expected there: {layout}."
        )
    reading = dataclasses.replace(
        DEFAULT_READING,
        folder=str(folder),
        max_disagreement_m=reading.max_disagreement_m,
    )
    with wrap_disk_errors(output, "choose another --output"):
        output.mkdir(parents=True, exist_ok=True)
        known: dict[str, set[str]] = {}
        checks = [
            _check(adapter, found, output, reading, known, progress) for found in lists
        ]
        there = {check.split for check in checks}
        prepared = PreparedTables(
            name,
            folder,
            output,
            tuple(checks),
            {n: c for n, c in adapter.description.counts.items() if n not in there},
            tuple(_extra(folder, known)),
        )
        _write_problems(prepared, output / PROBLEMS_NAME)
    return prepared


def _check(
    adapter: Adapter,
    found: PhotoList,
    output: Path,
    reading: ReadingConfig,
    known: dict[str, set[str]],
    progress: bool,
) -> SplitCheck:
    """Writes the table of a split and reads it as a build does.

    Args:
        adapter: Of the dataset.
        found: The split.
        output: Folder of the table.
        reading: How a build reads it.
        known: By the folders that hold photos of the dataset alone the photos that
            are named; completed.
        progress: Whether to draw a progress bar.
    """
    table = output / f"{found.split}.csv"
    paths, refused = _write_table(found, table)
    for folder in found.folders:
        of_folder = known.setdefault(folder, set())
        named = (*paths, *(path for path, _ in found.left_out))
        of_folder.update(path for path in named if path.startswith(f"{folder}/"))
    photos = PhotoSource(table, found.has_positions, reading)
    usable, rejected = _scan(photos, len(paths), progress)
    source = Path(reading.folder or "")
    missing = [path for path, _ in rejected if not _is_there(source / path)]
    gone = frozenset(missing)
    broken = [(path, why) for path, why in rejected if path not in gone]
    return SplitCheck(
        split=found.split,
        expected=adapter.description.counts.get(found.split),
        num_listed=len(paths) + len(refused),
        num_usable=usable,
        num_left_out=len(found.left_out),
        missing=tuple(missing),
        unusable=(*refused, *broken),
    )


def _write_table(
    found: PhotoList, table: Path
) -> tuple[list[str], list[tuple[str, str]]]:
    """Writes the rows of a split; returns their paths, and what is refused."""
    paths, refused = dict[str, None](), list[tuple[str, str]]()
    with (
        new_file(table) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow(found.columns)
        for row in found.rows:
            path = row[0]
            why_not = "is listed more than once" if path in paths else _wrong_path(path)
            if why_not:
                refused.append((path, why_not))
                continue
            writer.writerow(row)
            paths[path] = None
    return list(paths), [*found.refused, *refused]


def _wrong_path(text: str) -> str:
    """Returns why a path cannot be taken; empty for most."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\0" in text:
        return "the path leads out of the source folder"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "name is not UTF-8"
    return ""


def _scan(
    source: PhotoSource, num_photos: int, progress: bool
) -> tuple[int, list[tuple[str, str]]]:
    """Reads a table as a build does.

    Returns:
        How many photos can be used, and the others with the reason.
    """
    usable, rejected = 0, list[tuple[str, str]]()
    bar = TerminalBar(
        desc=source.path.stem,
        total=num_photos,
        unit=" photos",
        disable=None if progress else True,
    )
    with bar, scratch_folder("datasets") as scratch:
        entries = (entry for entry, _ in source.walk(scratch, SkippedFiles()))
        while some := list(itertools.islice(entries, CHUNK_ENTRIES)):
            chunk = scan_chunk(source, some)
            usable += len(chunk.rows)
            rejected += chunk.rejected
            bar.update(len(some))
    return usable, rejected


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _extra(source: Path, known: dict[str, set[str]]) -> Iterator[str]:
    """Yields the photos that no list names."""
    for folder, named in known.items():
        if (source / folder).is_dir():
            yield from (path for path in photos_in(source, folder) if path not in named)


def _write_problems(prepared: PreparedTables, path: Path) -> None:
    with (
        new_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow(("split", "file", "problem"))
        for split, name, problem in _problems(prepared):
            shown = RejectedPhoto(name, problem).printable_path
            writer.writerow((split, name_cell(shown), problem))


def _problems(prepared: PreparedTables) -> Iterable[Sequence[str]]:
    for check in prepared.checks:
        yield from ((check.split, path, "missing") for path in check.missing)
        yield from ((check.split, path, why) for path, why in check.unusable)
    yield from (("", path, "in no list") for path in prepared.extra)
