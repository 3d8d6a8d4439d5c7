import pytest

from vpr_tf.config import ConfigError, load_config, load_saved_config
from vpr_tf.config.yaml_size import check_yaml_size

HEAD = "name: a\ndataset: {path: none}\n"


def bomb(width, depth):
    lines = ["a0: &a0 [x]"]
    for number in range(1, depth):
        names = ", ".join([f"*a{number - 1}"] * width)
        lines.append(f"a{number}: &a{number} [{names}]")
    return "\n".join(lines)


def test_few_aliases_are_accepted():
    check_yaml_size("a: &a [1, 2]\nb: *a\nc: {<<: {d: *a}}\n")
    check_yaml_size(bomb(3, 4))
    check_yaml_size("")


@pytest.mark.parametrize("text", [bomb(9, 30), bomb(2, 60)])
def test_aliases_that_multiply_are_refused_before_they_do(tmp_path, text):
    with pytest.raises(ValueError, match="more than 100,000 values"):
        check_yaml_size(text)
    (tmp_path / "a.yaml").write_text(HEAD + text)
    with pytest.raises(ConfigError, match=r"a\.yaml .*more than 100,000 values"):
        load_config(tmp_path / "a.yaml")


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: [*a]}", "? &a [*a]\n: 1"])
def test_a_value_that_holds_itself_is_refused(text):
    with pytest.raises(ValueError, match="holds itself"):
        check_yaml_size(text)


def test_a_received_config_has_no_base(tmp_path):
    (tmp_path / "other.yaml").write_text("seed: 1\n")
    (tmp_path / "config.yaml").write_text(f"base: other.yaml\n{HEAD}")
    assert load_config(tmp_path / "config.yaml").seed == 1
    with pytest.raises(ConfigError, match="without `base`"):
        load_saved_config(tmp_path / "config.yaml")


def test_a_chain_of_files_has_an_end(tmp_path):
    for number in range(21):
        text = f"base: {number + 1}.yaml\n" if number < 20 else HEAD
        (tmp_path / f"{number}.yaml").write_text(text)
    assert load_config(tmp_path / "1.yaml").name == "a"
    with pytest.raises(ConfigError, match="may rest on 19 others"):
        load_config(tmp_path / "0.yaml")


@pytest.mark.parametrize("line", ["seed: 1" + "0" * 5000, "base: " + "a" * 5000])
def test_what_is_too_long_is_refused_by_name(tmp_path, line):
    (tmp_path / "a.yaml").write_text(HEAD + line)
    with pytest.raises(ConfigError):
        load_config(tmp_path / "a.yaml")
