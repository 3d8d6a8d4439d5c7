"""`vpr data add-test`: adds test sets to a built dataset; nothing else is touched.

The new shards, their index and the metadata of TFDS are written first and the manifest
last, so that the dataset is the old or the new one whatever is killed; the same command
run again continues. The fingerprint of the dataset stays: runs and calibrations of it
remain valid.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.build import (
    build_splits,
    list_sources,
    refuse_nesting,
    source_fingerprint_of,
)
from data_prep.build_state import BuildFolder, build_parameters
from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.finish import (
    dataset_fingerprint_of,
    split_entry,
    write_indexes,
    write_manifest,
    write_tfds_metadata,
)
from data_prep.plan import SplitPlan, check_split_name, plan_tests
from vpr_tf.config import (
    AreaConfig,
    BuildConfig,
    DatabaseAndQueries,
    ExperimentConfig,
    as_dict,
)
from vpr_tf.csv_files import cell_name
from vpr_tf.data import PreparedDataset
from vpr_tf.photos import PhotoSource
from vpr_tf.stored_paths import inside


def add_test(
    config: ExperimentConfig, tests: Mapping[str, DatabaseAndQueries]
) -> PreparedDataset:
    """Adds test sets to the dataset at `dataset.path`.

    Args:
        config: `dataset.path`, and of `build` the source that the new folders or tables
            are relative to, and how to read and write.
        tests: The new sets by name. A database that the dataset holds already is not
            stored again. Sets that it has with these very sources are left as they are.

    Raises:
        DatasetError: There is no complete dataset.
        ConfigError: A name is a path.
        DataPrepError: The dataset has another set of that name, or the sources or the
            disk do not allow it.
    """
    for name in tests:
        check_split_name("build.tests", name)
    path = Path(config.dataset.path)
    new = _new_tests(PreparedDataset(path), config.build, tests)
    if not new:
        print(f"{path} has the test sets {', '.join(tests)} already; nothing to do.")
        return PreparedDataset(path)
    build = dataclasses.replace(config.build, train=None, val=None, tests=new)
    with BuildFolder(path, build_parameters(build)) as folder:
        dataset = PreparedDataset(path)
        plan = plan_tests(build, new, _known_splits(dataset, as_dict(build.area)))
        refuse_nesting(path, plan)
        with wrap_disk_errors(path):
            listings = list_sources(plan, folder)
            fingerprint = source_fingerprint_of(listings)
            folder.begin_or_continue(fingerprint, starts_over=True)
            rejected = _known_rejected(dataset)
            splits = build_splits(build, plan, folder, listings, rejected)
            write_indexes(path, splits)
            entries = {split.plan.name: split_entry(split) for split in splits}
            manifest = dict(dataset.manifest)
            manifest["splits"] = manifest["splits"] | entries
            manifest["tests"] = manifest["tests"] | plan.tests
            manifest["added_tests"] = manifest.get("added_tests", {}) | {
                name: _added_entry(build, new[name], plan.tests[name], splits)
                for name in new
            }
            shards = {
                name: entry["shards"] for name, entry in manifest["splits"].items()
            }
            write_tfds_metadata(path, _tfds_name(path, config.name), shards)
            write_manifest(path, manifest)
        folder.remove()
    print(f"{path} has the new test sets {', '.join(new)}.")
    return PreparedDataset(path)


def _new_tests(
    dataset: PreparedDataset,
    build: BuildConfig,
    tests: Mapping[str, DatabaseAndQueries],
) -> dict[str, DatabaseAndQueries]:
    """Returns those that the dataset does not have."""
    new = {}
    for name, entry in tests.items():
        known = dataset.manifest["tests"].get(name)
        if known is None:
            new[name] = entry
            continue
        folder = _source_of(dataset, name)
        there, here = (
            [str((Path(source) / path).resolve()) for path in paths]
            for source, paths in (
                (folder, [_entry_of(dataset, known[role]) for role in _ROLES]),
                (build.source, [entry.database, entry.queries]),
            )
        )
        area = _area_of(dataset, name)
        is_same = (there, area) == (here, as_dict(build.area)) and all(
            known.get(name, True) == getattr(entry, name) for name in _POSITIONED
        )
        if not is_same:
            raise DataPrepError(
                f"{dataset.path} has another test set {name!r}, of {there[0]} and "
                f"{there[1]}, with `build.area` {area}. Choose another name."
            )
    return new


_ROLES = ("database", "queries")
_LISTED = ("num_rejected", "num_outside", "num_flagged")  # in rejected.csv
_POSITIONED = ("database_has_positions", "queries_have_positions")  # by role


def _entry_of(dataset: PreparedDataset, split: str) -> str:
    return str(dataset.manifest["splits"][split]["source"])


def _source_of(dataset: PreparedDataset, test: str) -> str:
    """Folder that the sources of a test set are relative to."""
    added = dataset.manifest.get("added_tests", {}).get(test)
    return str((added or dataset.manifest["build"])["source"])


def _area_of(dataset: PreparedDataset, test: str) -> Any:
    """Area of a test set; of older datasets everywhere."""
    added = dataset.manifest.get("added_tests", {}).get(test)
    return (added or dataset.manifest["build"]).get("area", as_dict(AreaConfig()))


def _known_splits(
    dataset: PreparedDataset, area: Any
) -> dict[tuple[str, bool], SplitPlan]:
    """Returns the splits of test sets of the same area by where they come from."""
    known: dict[tuple[str, bool], SplitPlan] = {}
    for test, entry in dataset.manifest["tests"].items():
        if _area_of(dataset, test) != area:
            continue
        for role, positioned in zip(_ROLES, _POSITIONED, strict=True):
            positions = entry.get(positioned, True)
            relative = _entry_of(dataset, entry[role])
            source = PhotoSource(Path(_source_of(dataset, test)) / relative, positions)
            plan = SplitPlan(entry[role], relative, source)
            known.setdefault((str(source.path.resolve()), positions), plan)
    return known


def _known_rejected(dataset: PreparedDataset) -> list[list[str]]:
    """Returns the rows of rejected.csv that are of the splits in the manifest."""
    count = sum(
        sum(entry.get(name, 0) for name in _LISTED)  # older manifests lack some
        for entry in dataset.manifest["splits"].values()
    )
    path = inside(dataset.path, "rejected.csv")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = itertools.islice(csv.reader(file), 1, count + 1)
            return [[*map(cell_name, row)] for row in rows]
    except OSError:
        return []


def _added_entry(
    build: BuildConfig,
    test: DatabaseAndQueries,
    names: dict[str, Any],
    splits: list[Any],
) -> dict[str, Any]:
    own = [split for split in splits if split.plan.name in names.values()]
    return {
        "source": build.source,
        "area": as_dict(build.area),
        "test": as_dict(test),
        "splits": [split.plan.name for split in own],
        "fingerprint": dataset_fingerprint_of(own),
    }


def _tfds_name(path: Path, default: str) -> str:
    try:
        return str(json.loads(inside(path, "dataset_info.json").read_text())["name"])
    except (OSError, ValueError, KeyError):
        return default
