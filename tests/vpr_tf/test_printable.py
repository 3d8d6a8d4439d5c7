import io
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from tests.command_line import vpr
from vpr_tf.printable import printable, printable_lines, printable_streams
from vpr_tf.tables import Column, Table

ESCAPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def escapes(text):
    """What of a text a terminal would take as a command."""
    return {c for c in text if unicodedata.category(c) in ESCAPED} - set("\u200c\u200d")


def test_names_are_shown_as_they_are_but_for_what_moves_the_terminal():
    plain = "@0543@straße 北京 Äpfel\u202fPM\u3000👩\u200d💻.jpg"
    assert printable(plain) == plain
    assert printable("a\x1b[2J\x07\r\nb\x7f\x9b") == r"a\x1b[2J\x07\r\nb\x7f\x9b"
    assert printable("\u202egpj.exe\u2028\u2066") == r"\u202egpj.exe\u2028\u2066"
    assert printable(b"caf\xe9.jpg") == r"caf\xe9.jpg"
    assert printable("caf\udce9\ud800.jpg") == r"caf\xe9\ud800.jpg"


@given(st.text(st.characters(codec=None)))
def test_nothing_that_is_printed_is_a_command(text):
    assert not escapes(printable(text))
    assert escapes(printable_lines(text)) <= {"\n", "\t"}
    printable(text).encode()


@given(st.binary())
def test_any_bytes_can_be_printed(name):
    assert not escapes(printable(name))


def test_streams_escape_all_but_lines_and_bars(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with printable_streams():
        print("one\n\x1b]0;title\x07\udcff", file=sys.stderr)
        for _ in tqdm(range(2), desc="bar", ncols=20):
            pass
    text = out.getvalue()
    assert text.startswith("one\n\\x1b]0;title\\x07\\xff\n")
    assert "\rbar: 100%" in text
    assert sys.stderr is out


def test_cells_of_a_table_are_one_line():
    table = Table("", [Column("photo", "name"), Column("n")], [("a\n\x1b[2Jb|c", 1)])
    for text in (table.to_text(), table.to_markdown()):
        assert r"a\n\x1b[2Jb" in text
    assert r"a\textbackslash{}n" in table.to_latex()


def test_line_break_in_a_name_does_not_begin_a_line_of_an_error(capsys):
    assert vpr("index", "verify", "--index", "a\nDone.\x1b[2J") == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert "\n  Done.\\x1b[2J" in error
