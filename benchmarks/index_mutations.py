"""Damage to index folders, as disks, copies and people do it; the same by number."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_MANIFEST = "manifest.json"
_SCANN_FILES = ("scann_docids.pkl", "ah_codebook.pb", "dataset.npy")


def mutate(folder: Path, other: Path, number: int) -> str:
    """Damages an index in one way that depends on the number alone.

    Args:
        folder: A copy of an index, changed in place.
        other: Another index, whose files are sometimes put into this one.
        number: Of the mutation.

    Returns:
        What was done.
    """
    rng = np.random.default_rng(number)
    names = sorted(_MUTATIONS)
    name = names[number % len(names)]
    return f"{name}: {_MUTATIONS[name](folder, other, rng)}"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _choose(paths: list[Any], rng: np.random.Generator) -> Any:
    return paths[int(rng.integers(len(paths)))]


def _filled_file(folder: Path, rng: np.random.Generator) -> Path:
    return _choose([path for path in _files(folder) if path.stat().st_size], rng)


def _flip_bit(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _filled_file(folder, rng)
    content = bytearray(path.read_bytes())
    place = int(rng.integers(len(content)))
    content[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    return f"{path.name} at {place}"


def _zero_block(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _filled_file(folder, rng)
    content = bytearray(path.read_bytes())
    first = int(rng.integers(len(content)))
    size = min(int(rng.integers(1, 4097)), len(content) - first)
    content[first : first + size] = bytes(size)
    path.write_bytes(content)
    return f"{path.name} {size} bytes at {first}"


def _shuffle_block(folder: Path, other: Path, rng: np.random.Generator) -> str:
    """Moves bytes inside a file; its size and the bytes that it holds stay."""
    path = _filled_file(folder, rng)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    turned = np.roll(content, int(rng.integers(1, len(content) + 1)))
    path.write_bytes(turned.tobytes())
    return path.name


def _cut(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _filled_file(folder, rng)
    size = int(rng.integers(path.stat().st_size))
    path.write_bytes(path.read_bytes()[:size])
    return f"{path.name} to {size}"


def _extend(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _choose(_files(folder), rng)
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 200))))
    return path.name


def _delete(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _choose(_files(folder), rng)
    path.unlink()
    return path.name


def _delete_folder(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _choose(sorted(path for path in folder.rglob("*") if path.is_dir()), rng)
    shutil.rmtree(path)
    return path.name


def _swap(folder: Path, other: Path, rng: np.random.Generator) -> str:
    files = _files(folder)
    first, second = _choose(files, rng), _choose(files, rng)
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])
    return f"{first.name} and {second.name}"


def _copy_over(folder: Path, other: Path, rng: np.random.Generator) -> str:
    files = _files(folder)
    source, target = _choose(files, rng), _choose(files, rng)
    target.write_bytes(source.read_bytes())
    return f"{source.name} over {target.name}"


def _add_stranger(folder: Path, other: Path, rng: np.random.Generator) -> str:
    source = _choose(_files(folder), rng)
    place = _choose([folder, *(path.parent for path in _files(folder))], rng)
    target = place / _choose([*_SCANN_FILES, f"copy of {source.name}"], rng)
    if not target.exists():
        target.write_bytes(source.read_bytes())
    return f"{target.parent.name}/{target.name}"


def _folder_for_file(folder: Path, other: Path, rng: np.random.Generator) -> str:
    path = _choose(_files(folder), rng)
    path.unlink()
    path.mkdir()
    return path.name


def _take_from_other(folder: Path, other: Path, rng: np.random.Generator) -> str:
    """A file of another index with the same names and sizes."""
    names = [path.relative_to(other) for path in _files(other)]
    name = _choose([name for name in names if (folder / name).parent.is_dir()], rng)
    shutil.copyfile(other / name, folder / name)
    return str(name)


def _take_all_but_one(folder: Path, other: Path, rng: np.random.Generator) -> str:
    """A copy of another index over this one that was interrupted."""
    kept = _choose(_files(folder), rng)
    for path in _files(other):
        target = folder / path.relative_to(other)
        if target != kept:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return f"kept {kept.name}"


def _edit_manifest(folder: Path, other: Path, rng: np.random.Generator) -> str:
    content = json.loads((folder / _MANIFEST).read_text())
    place, owner, key = _choose(_leaves(content, ""), rng)
    before = owner[key]
    owner[key] = _edited(before, rng)
    if rng.random() < 0.2:
        content.pop("sha256", None)
    (folder / _MANIFEST).write_text(json.dumps(content, indent=2))
    return f"{place} from {before!r} to {owner[key]!r}"


def _leaves(value: Any, place: str) -> list[tuple[str, Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    leaves = []
    for key, inner in list(items):
        leaves.append((f"{place}/{key}", value, key))
        if isinstance(inner, dict | list):
            leaves += _leaves(inner, f"{place}/{key}")
    return leaves


def _edited(value: Any, rng: np.random.Generator) -> Any:
    choices: list[Any] = [None, "", [], {}, True, -1, 0, 1.5, 10**30, "../../secret"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        choices += [value + 1, value - 1, float(value), str(value), value * 2]
    if isinstance(value, str):
        choices += [value + "0", value[:-1], value.upper(), value.swapcase()]
    if isinstance(value, list):
        choices += [value[:-1], value + value, value[::-1]]
    return _choose([choice for choice in choices if repr(choice) != repr(value)], rng)


_MUTATIONS: dict[str, Callable[[Path, Path, np.random.Generator], str]] = {
    "add a stranger": _add_stranger,
    "copy over": _copy_over,
    "cut": _cut,
    "delete": _delete,
    "delete a folder": _delete_folder,
    "edit the manifest": _edit_manifest,
    "extend": _extend,
    "flip a bit": _flip_bit,
    "folder for a file": _folder_for_file,
    "interrupted copy of another": _take_all_but_one,
    "shuffle": _shuffle_block,
    "swap": _swap,
    "take from another": _take_from_other,
    "zero": _zero_block,
}
