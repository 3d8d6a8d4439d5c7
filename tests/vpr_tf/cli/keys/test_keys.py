import json

from vpr_tf.cli import main


def test_key_is_shown_once_listed_and_removed(tmp_path, capsys):
    file = tmp_path / "keys.json"
    words = ["--file", str(file)]
    assert main(["keys", "add", *words, "--name", "phone", "--rate", "6"]) == 0
    key = capsys.readouterr().out.splitlines()[1]
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600

    admin = [*words, "--name", "me", "--role", "admin", "--json"]
    assert main(["keys", "add", *admin]) == 0
    assert json.loads(capsys.readouterr().out)["role"] == "admin"
    assert main(["keys", "list", *words]) == 0
    listed = capsys.readouterr().out
    assert "phone" in listed
    assert key not in listed

    assert main(["keys", "remove", *words, "--name", "phone"]) == 0
    assert main(["keys", "list", *words, "--json"]) == 0
    [kept] = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert kept["name"] == "me"
    assert "sha256" not in kept


def test_key_that_cannot_be_is_refused(tmp_path, capsys):
    words = ["keys", "add", "--file", str(tmp_path / "keys.json")]
    for name in ("a\r\nSet-Cookie: b", "", "a" * 65, "é", "-a"):
        assert main([*words, f"--name={name}"]) == 2
        assert "name of a key" in capsys.readouterr().err
    for rate in ("0", "nan", "inf", "-1"):
        assert main([*words, "--name", "a", f"--rate={rate}"]) == 2
    assert not (tmp_path / "keys.json").exists()
    assert main([*words, "--name", "a"]) == 0
    assert main([*words, "--name", "a"]) == 2
    assert "already" in capsys.readouterr().err
    assert main(["keys", "add", "--file", "no/folder/k", "--name", "a"]) == 2
