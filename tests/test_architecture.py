"""The house: which part may import which, and that no two files import each other."""

import ast
import functools
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("train_keras.py", "evaluate.py")
PACKAGES = ("vpr_tf", "data_prep", "benchmarks", "supply_chain")
# From the ground up: a part imports those of the lines above its own line only.
LEVELS = (
    ("geo", "config", "cluster"),
    ("layers", "losses", "photos", "search"),
    ("localization",),
    ("data", "models"),
    ("extraction",),
    ("matching",),
    ("classification",),
    ("place_index",),
    ("evaluation",),
    ("report", "export", "serving"),
    ("training",),
    ("cli",),
)
LEVEL_OF = {part: level for level, parts in enumerate(LEVELS) for part in parts}
# Imports that still run the wrong way; the list only gets shorter.
NOT_YET: set[tuple[str, str]] = set()


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@functools.cache
def modules() -> dict[str, Path]:
    paths = [ROOT / script for script in SCRIPTS]
    for package in PACKAGES:
        paths += sorted((ROOT / package).rglob("*.py"))
    return {module_name(path): path for path in paths}


@functools.cache
def imports_of(module: str) -> frozenset[str]:
    """Modules of the project that a module imports, wherever in its file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                is_package = modules()[module].name == "__init__.py"
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, base]).rstrip(".")
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            found = submodules & set(modules())
            names |= found
            if len(found) < len(node.names):
                names.add(base)
    return frozenset(names & set(modules()) - {module})


def part_of(module: str) -> str | None:
    names = module.split(".")
    return names[1] if names[0] == "vpr_tf" and len(names) > 1 else None


def wrong_imports() -> set[tuple[str, str]]:
    found = set()
    for module in modules():
        part = part_of(module)
        for imported in imports_of(module) if part in LEVEL_OF else ():
            other = part_of(imported)
            known = other in LEVEL_OF and other != part
            if known and LEVEL_OF[other] >= LEVEL_OF[part]:
                found.add((module, imported))
    return found


def test_every_part_has_a_level():
    folders = {
        p.name for p in (ROOT / "vpr_tf").iterdir() if (p / "__init__.py").exists()
    }
    assert folders == set(LEVEL_OF)


def test_parts_only_import_what_is_below_them():
    wrong = wrong_imports()
    assert not {(a, b) for a, b in wrong if (part_of(a), part_of(b)) not in NOT_YET}


def test_nothing_is_forgiven_that_is_mended():
    assert {(part_of(a), part_of(b)) for a, b in wrong_imports()} == NOT_YET


def test_vpr_tf_does_not_import_what_stands_on_it():
    above = {"benchmarks", "supply_chain", "tests", "train_keras", "evaluate"}
    for module in modules():
        if module.startswith("vpr_tf"):
            allowed = {"data_prep"} if part_of(module) == "cli" else set()
            packages = {name.split(".")[0] for name in imports_of(module)}
            assert not packages & (above | {"data_prep"} - allowed), module


def test_no_two_files_import_each_other():
    graph = {
        module: {
            name
            for name in imports_of(module)
            # A package's face hands names on and imports what it hands on.
            if modules()[name].name != "__init__.py"
        }
        for module in modules()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


def test_scripts_are_thin():
    for script in SCRIPTS:
        assert len((ROOT / script).read_text().splitlines()) <= 60


def test_no_file_is_long():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 400, path
