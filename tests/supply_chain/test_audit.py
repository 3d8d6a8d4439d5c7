"""A service that was not reached is no clean audit."""

import json

import pytest

from supply_chain import audit
from supply_chain.audit import CLEAN, NOT_AUDITED, VULNERABLE, summary

PINS = {"a": "1", "b": "2"}
A = {"name": "a", "version": "1", "vulns": []}
B = {"name": "b", "version": "2", "vulns": []}
FLAW = {"id": "CVE-1", "fix_versions": ["3"]}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found and could not be audited"}


def report(*entries):
    return json.dumps({"dependencies": entries, "fixes": []})


def test_all_looked_up_and_clean():
    text, status = summary(report(A, B), PINS)
    assert status == CLEAN
    assert text == "2 packages looked up, none has a known flaw."


def test_flaws_are_named():
    text, status = summary(report(A, {**B, "vulns": [FLAW]}), PINS)
    assert status == VULNERABLE
    assert text == "b 2: CVE-1, mended in 3"


@pytest.mark.parametrize(
    "entries",
    [[], [A], [A, SKIPPED], [A, {**B, "version": "1"}], [SKIPPED]],
)
def test_package_that_was_not_looked_up_is_no_result(entries):
    text, status = summary(report(*entries), PINS)
    assert status == NOT_AUDITED
    assert "Not audited" in text
    assert "none has a known flaw" not in text


def test_flaws_are_named_even_if_others_were_not_looked_up():
    text, status = summary(report({**A, "vulns": [FLAW]}, SKIPPED), PINS)
    assert status == NOT_AUDITED
    assert "a 1: CVE-1" in text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"dependencies'])
def test_no_report_is_no_result(text):
    assert summary(text, PINS)[1] == NOT_AUDITED


@pytest.mark.parametrize(
    ("printed", "status"),
    [(report(A, B), CLEAN), (report(A, SKIPPED), NOT_AUDITED), ("", NOT_AUDITED)],
)
def test_status_is_that_of_what_was_looked_up(printed, status, monkeypatch, capsys):
    code = "import sys; print('No known vulnerabilities found', file=sys.stderr)\n"
    monkeypatch.setattr(
        audit, "_PIP_AUDIT", ("-c", f"{code}print({printed!r}, end='')")
    )
    monkeypatch.setattr(audit, "read_pins", lambda path: PINS)
    assert audit.main() == status
    told = capsys.readouterr()
    assert told.out == f"{summary(printed, PINS)[0]}\n"
    assert bool(told.err) == (not printed)
