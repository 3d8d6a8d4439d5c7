import json
import shutil

import pytest

from tests.command_line import on_index, vpr
from tests.vpr_tf.place_index.signing_pairs import write_keys


@pytest.fixture
def keys(tmp_path):
    return write_keys(tmp_path / "keys")


@pytest.fixture
def index(built, tmp_path):
    return shutil.copytree(built / "city.index", tmp_path / "signed.index")


def test_signed_index_is_accepted_by_all_that_take_a_key(built, index, keys, capsys):
    private, public = keys
    photo = built / "photos" / "2.png"
    assert on_index("sign", index, "--key", private) == 0
    assert on_index("verify", index, "--key", public, "--json") == 0
    printed = capsys.readouterr()
    signed_by = json.loads(printed.out.partition("\n")[2])["signed_by"]
    assert f"signed at generation 1 with the key {signed_by}" in printed.out
    assert "Warning" not in printed.err
    for command in (["query"], ["localize"]):
        words = [*command, "--index", index, "--key", public, photo]
        assert vpr(*words) == 0
        assert on_index("remove", index, "--keys", "1.png") == 0
        capsys.readouterr()
        assert vpr(*words) == 2
        assert "was changed after it was signed" in capsys.readouterr().err
        shutil.rmtree(index)
        shutil.copytree(built / "city.index", index)
        assert on_index("sign", index, "--key", private) == 0


def test_unsigned_index_is_refused_before_the_encoder_is_read(
    index, keys, monkeypatch, capsys
):
    monkeypatch.setattr("vpr_tf.place_index.index_encoder.open_encoder", None)
    for command in (["query"], ["localize"], ["index", "verify"]):
        photo = [] if command[0] == "index" else ["any.jpg"]
        assert vpr(*command, "--index", index, "--key", keys[1], *photo) == 2
        assert "is not signed" in capsys.readouterr().err


def test_key_that_others_can_read_is_warned_about(index, keys, capsys):
    keys[0].chmod(0o644)
    assert on_index("sign", index, "--key", keys[0]) == 0
    printed = capsys.readouterr()
    assert "Warning:" in printed.err
    assert "chmod 600" in printed.err
    assert "PRIVATE" not in printed.out + printed.err


def test_passphrase_is_asked_for(index, tmp_path, monkeypatch, capsys):
    private, public = write_keys(tmp_path / "locked", passphrase=b"open sesame")
    assert on_index("sign", index, "--key", private) == 2
    assert "is locked. Pass its passphrase" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def end_of_input(prompt):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", end_of_input)
    assert on_index("sign", index, "--key", private) == 2
    assert "no passphrase came" in capsys.readouterr().err
    monkeypatch.setattr("getpass.getpass", lambda prompt: "open sesame")
    assert on_index("sign", index, "--key", private) == 0
    assert on_index("verify", index, "--key", public) == 0


def test_key_of_heads_is_refused(tmp_path, keys, capsys):
    words = ["--classifier", tmp_path, "--key", keys[1], "a.jpg"]
    assert vpr("localize", *words) == 2
    assert "pass --index DIR" in capsys.readouterr().err


def test_wrong_keys_are_one_line(index, keys, tmp_path, capsys):
    for name, key in (("sign", keys[1]), ("verify", keys[0])):
        for file in (key, tmp_path / "gone.pem", tmp_path):
            assert on_index(name, index, "--key", file) == 2
            assert len(capsys.readouterr().err.splitlines()) == 1
