"""A file of keys is read as it was written, or not at all."""

import json
import logging
import multiprocessing

import pytest

from vpr_tf.serving.key_file import (
    KeyFileError,
    add_key,
    find_key,
    read_keys,
    remove_key,
)


def test_only_the_key_itself_is_found(tmp_path):
    file = tmp_path / "keys.json"
    texts = {name: add_key(file, name, "query", 60) for name in ("a", "b")}
    keys = read_keys(file)
    for name, text in texts.items():
        assert find_key(keys, text).name == name
        for other in (
            text[:-1],
            text + "a",
            text.upper(),
            keys[0].sha256,
            "",
            "\udc80",
        ):
            assert find_key(keys, other) is None
    remove_key(file, "a")
    assert find_key(read_keys(file), texts["a"]) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "\0\xff",
        lambda text: text[:-20],
        lambda text: "[" * 100_000,
        lambda text: "{}",
        lambda text: json.dumps({"format_version": 2, "keys": []}),
        lambda text: json.dumps({"format_version": 1, "keys": {}}),
        lambda text: text.replace("query", "root"),
        lambda text: text.replace('"a"', '"a\\r\\nb"'),
        lambda text: text.replace("60", "-1"),
        lambda text: text.replace("60", "1e999"),
        lambda text: text.replace('"sha256": "', '"sha256": "0'),
        lambda text: text.replace('"role"', '"roles"'),
        lambda text: text + " " * (1 << 20),
    ],
)
def test_damaged_file_is_refused(tmp_path, change):
    file = tmp_path / "keys.json"
    add_key(file, "a", "query", 60)
    text = file.read_text()
    file.write_text(change(text))
    with pytest.raises(KeyFileError, match=r"keys\.json"):
        read_keys(file)
    with pytest.raises(KeyFileError):
        add_key(file, "b", "query", 60)
    assert file.read_text() == change(text)


def test_file_that_others_can_write_is_refused_one_they_read_is_told(tmp_path, caplog):
    file = tmp_path / "keys.json"
    add_key(file, "a", "query", 60)
    file.chmod(0o620)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_keys(file)
    file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert len(read_keys(file)) == 1
    assert "chmod 600" in caplog.text
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_keys(tmp_path)


def _add_ten(file, prefix):
    for number in range(10):
        add_key(file, f"{prefix}{number}", "query", 60)


def test_two_processes_lose_no_key(tmp_path):
    file = tmp_path / "keys.json"
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_add_ten, args=(file, p)) for p in "ab"]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert len(read_keys(file)) == 20
