import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.command_line import vpr
from vpr_tf.config import ConfigError, load_config, load_saved_config
from vpr_tf.paths import expand_path, expand_word


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PHOTOS", "/data/photos")
    monkeypatch.delenv("NOT_DEFINED", raising=False)
    return tmp_path


def test_home_and_variables(home):
    assert expand_path("~") == str(home)
    assert expand_path("~/city") == f"{home}/city"
    assert expand_path("$PHOTOS/a") == "/data/photos/a"
    assert expand_path("x/${PHOTOS}_2/$PHOTOS") == "x//data/photos_2//data/photos"


@given(st.text(st.characters(exclude_characters="$~", exclude_categories=["Cs"])))
def test_other_paths_stay(text):
    assert expand_path(text) == text
    assert expand_path(f"a/~{text}") == f"a/~{text}"


@pytest.mark.parametrize("text", ["$NOT_DEFINED/a", "a/${NOT_DEFINED}"])
def test_undefined_variable_is_named(home, text):
    with pytest.raises(ValueError, match="variable NOT_DEFINED is not defined"):
        expand_path(text)


def test_unknown_user_is_named():
    with pytest.raises(ValueError, match="no home folder for '~nobody_of_that_name'"):
        expand_path("~nobody_of_that_name/a")


def test_file_with_such_a_name_stays(home, monkeypatch):
    monkeypatch.chdir(home)
    for name in ("photo$NOT_DEFINED.jpg", "~backup.jpg"):
        (home / name).touch()
        assert expand_path(name) == name


def test_words_of_a_command_line(home):
    assert expand_word("--index=~/city.index") == f"--index={home}/city.index"
    assert expand_word("~/a.jpg") == f"{home}/a.jpg"
    assert expand_word("--within=37.7,-122.4,500") == "--within=37.7,-122.4,500"
    assert expand_word("dataset.path=~/city") == "dataset.path=~/city"


def test_paths_of_a_config(home, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "name: city\ndataset: {path: ~/city}\nruns_dir: runs/${name}\n"
        "build:\n  source: $PHOTOS\n"
        '  tests: {night: {database: ~/db, queries: "${PHOTOS}/q"}}\n'
    )
    (tmp_path / "above.yaml").write_text("base: ~/c.yaml\n")
    config = load_config(tmp_path / "above.yaml", ["savedmodels_dir=~/saved"])
    assert config.dataset.path == f"{home}/city"
    assert config.runs_dir == "runs/city"
    assert config.savedmodels_dir == f"{home}/saved"
    assert config.build.source == "/data/photos"
    assert config.build.tests["night"].database == f"{home}/db"
    assert config.build.tests["night"].queries == "/data/photos/q"
    # What is no path is left alone.
    assert load_config(file, ["build.partition.name=$PHOTOS"]).partition_name == (
        "$PHOTOS"
    )
    with pytest.raises(ConfigError, match=r"`build.source`: The environment var.*NOT"):
        load_config(file, ["build.source=$NOT_DEFINED/a"])


def test_no_secret_of_the_environment_gets_into_a_config(home, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("name: city\ndataset: {path: x}\n")
    for override in ("name=${oc.env:PHOTOS}", "dataset.path=a/${oc.env:PHOTOS}"):
        with pytest.raises(ConfigError, match="must not call a resolver"):
            load_config(file, [override])
    assert load_config(file, ["name=$PHOTOS"]).name == "$PHOTOS"


SECRET = "swordfish"
CALLS = (
    "${oc.env:SECRET}",
    "a/${oc.env:SECRET,b}",
    "${oc.decode:${oc.env:SECRET}}",
    "${ oc.env:SECRET }",
    "${oc.create:{a: 1}}",
)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", ["override", "file", "base", "run", "key"])
def test_no_resolver_is_called_wherever_a_config_comes_from(
    call, way, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SECRET", SECRET)
    plain = "name: city\ndataset: {path: x}\n"
    calling = plain.replace("city", f"'{call}'")
    (tmp_path / "base.yaml").write_text(calling)
    texts = {
        "override": plain,
        "file": calling,
        "base": "base: base.yaml\nseed: 1\n",
        "run": calling,
        "key": f"{plain}'{call}': 1\n",
    }
    config = tmp_path / "config.yaml"
    config.write_text(texts[way])
    words = ["train", "--config", config, "--print-config"]
    if way == "override":
        words.append(f"name={call}")
    if way == "run":
        words = ["models", "show", tmp_path]
    assert vpr(*words) == 2
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert "Error: " in printed.err


def test_a_variable_that_is_overridden_need_not_be_defined(home, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("name: city\ndataset: {path: $NOT_DEFINED}\n")
    assert load_config(path, ["dataset.path=$PHOTOS"]).dataset.path == "/data/photos"
    with pytest.raises(ConfigError, match="NOT_DEFINED"):
        load_config(path)


def test_a_config_of_a_run_is_not_read_as_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    path = tmp_path / "config.yaml"
    path.write_text("name: city\ndataset: {path: /data/$SECRET}\nruns_dir: ~/runs\n")
    config = load_saved_config(path, ["savedmodels_dir=/exports/$SECRET"])
    assert config.dataset.path == "/data/$SECRET"
    assert config.runs_dir == "~/runs"
    assert config.savedmodels_dir == f"/exports/{SECRET}"


@pytest.mark.parametrize("command", ["export --model", "models show"])
def test_a_config_of_a_run_has_no_base(command, tmp_path, capsys):
    (tmp_path / "other.yaml").write_text("name: city\ndataset: {path: x}\n")
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("base: ../other.yaml\n")
    assert vpr(*command.split(), run) == 2
    assert "without `base`" in capsys.readouterr().err
