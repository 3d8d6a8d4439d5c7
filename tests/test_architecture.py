"""The direction of imports: scripts and data_prep use vpr_tf, never the reverse."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports_of(folder: str) -> set[str]:
    """Without command lines: a program is put together above all parts."""
    files = (ROOT / folder).rglob("*.py")
    return set().union(
        *(imported_modules(path) for path in files if path.name != "__main__.py")
    )


def test_vpr_tf_does_not_import_what_stands_on_it():
    packages = {name.split(".")[0] for name in imports_of("vpr_tf")}
    assert not packages & {"data_prep", "benchmarks", "tests", "train_keras"}


# From the bottom up: a part may import those of the lines above its own.
LEVELS = (
    ("layers",),
    ("data", "models"),
    ("photos",),
    ("extraction",),
    ("retrieval",),
    ("classification",),
    ("evaluation",),
    ("localization",),
    ("report",),
    ("export",),
    ("training",),
)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (part, other)
        for level, parts in enumerate(LEVELS)
        for part in parts
        for others in LEVELS[level:]
        for other in others
        if other != part
    ],
)
def test_parts_of_vpr_tf_only_import_what_is_below_them(part, other):
    imported = {tuple(name.split(".")[:2]) for name in imports_of(f"vpr_tf/{part}")}
    assert ("vpr_tf", other) not in imported


def test_nothing_stands_on_whitening():
    folders = [path for path in (ROOT / "vpr_tf").iterdir() if path.is_dir()]
    for folder in folders:
        if folder.name != "whitening":
            imported = imports_of(f"vpr_tf/{folder.name}")
            assert not [name for name in imported if "vpr_tf.whitening" in name]
    imported = imports_of("vpr_tf/whitening")
    above = ("vpr_tf.training", "vpr_tf.export")
    assert not [name for name in imported if name.startswith(above)]


def test_scripts_are_thin():
    for script in ("train_keras.py", "evaluate.py"):
        assert len((ROOT / script).read_text().splitlines()) <= 60


def test_only_records_knows_the_tfrecord_keys():
    for path in (ROOT / "vpr_tf").rglob("*.py"):
        if path.name != "records.py":
            assert "parse_single_example" not in path.read_text(), path
