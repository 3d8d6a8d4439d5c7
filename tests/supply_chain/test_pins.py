"""What is committed of the packages fits together; nothing is fetched."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from supply_chain.licences import licence, page
from supply_chain.pins import CONSTRAINTS, HASHED, ROOT, differences, read_pins

TOOLS = ROOT / "requirements-tools.txt"
LICENCES = ROOT / "docs" / "licences.md"
HELP = "Run `make hashes` and `make licences` after a change of constraints.txt."


def test_hashed_set_is_the_tested_set():
    assert read_pins(HASHED) == read_pins(CONSTRAINTS), HELP


@pytest.mark.parametrize("path", [HASHED, TOOLS], ids=lambda path: path.name)
def test_every_package_has_hashes_and_no_address(path: Path):
    text = path.read_text()
    for block in re.split(r"\n(?=\S)", text.strip()):
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)
        assert hashes, block
        assert block.count("--hash") == len(hashes), block
    assert "://" not in text
    assert "--index" not in text
    assert "@ " not in text


def test_tools_are_pinned():
    wanted = (ROOT / "requirements-tools.in").read_text().splitlines()
    names = {line for line in wanted if not line.startswith("#")}
    assert names
    assert names <= set(read_pins(TOOLS))


def test_tests_run_on_the_tested_set():
    assert version("numpy") == read_pins(CONSTRAINTS)["numpy"]


def test_list_of_licences_is_of_the_tested_set():
    rows = [line.split(" | ") for line in LICENCES.read_text().splitlines()]
    listed = {row[0].lstrip("| "): row[1] for row in rows if len(row) == 4}
    listed = {name: pin for name, pin in listed.items() if pin[0].isdigit()}
    assert listed == read_pins(CONSTRAINTS), HELP
    assert all(row[2].strip() for row in rows if len(row) == 4)


def test_list_of_licences_is_what_the_packages_say():
    assert LICENCES.read_text() == page(), HELP


def test_packages_that_state_no_licence_in_their_metadata():
    text = LICENCES.read_text()
    assert text.count("states none") == 4
    assert re.search(r"namex .*states none.*Apache License, Version 2\.0 \|", text)


class Package:
    """Metadata of a package as `importlib.metadata` gives it."""

    def __init__(self, fields, files=()):
        self._fields = fields
        self.files = files
        self.metadata = self

    def get_all(self, name):
        value = self._fields.get(name)
        return [value] if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License-Expression": "MIT", "License": "other"}, "MIT"),
        ({"License": "BSD"}, "BSD"),
        ({"License": "UNKNOWN", "Classifier": ["License :: OSI :: MIT"]}, "MIT"),
        ({"License": "A\nlong\ntext", "Classifier": ["License :: BSD"]}, "BSD"),
        ({"License": "\nMIT License\n\nPermission is"}, "MIT License"),
        ({"Classifier": ["Topic :: Maps"]}, "states none; and has no licence file"),
        ({}, "states none; and has no licence file"),
    ],
)
def test_licence_of_metadata(fields, expected):
    assert licence(Package(fields)) == expected


def test_licence_of_a_file(tmp_path):
    file = tmp_path / "LICENSE.txt"
    file.write_text("Copyright 2023 a\n\nUnder the Some License (the rest)\nmore\n")
    assert (
        licence(Package({"License": "UNKNOWN"}, [tmp_path / "a.py", file]))
        == "states none; its LICENSE.txt file says: Under the Some License"
    )


def test_line_without_version_is_refused(tmp_path):
    file = tmp_path / "pins.txt"
    file.write_text(
        "# words\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\nB_c==2\n"
    )
    assert read_pins(file) == {"a": "1", "b-c": "2"}
    for line in ("numpy", "numpy>=2", "numpy>=1,<2"):
        file.write_text(line)
        with pytest.raises(ValueError, match="must be name==version"):
            read_pins(file)


def test_differences_are_named():
    assert differences({"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}) == []
    assert differences({"a": "1", "b": "2"}, {"a": "3"}) == [
        "a must be 1. Received: 3",
        "b must be 2. Received: nothing",
    ]
