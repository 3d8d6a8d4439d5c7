"""Names that become folders."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.config import ConfigError, check_name, config_from_values

# Each field whose value names a folder, as an override.
FIELDS = {
    "name": "name={}",
    "dataset.partition": "dataset.partition={}",
    "build.partition.name": "build.partition.name={}",
    "encoder.weights": "encoder.weights='run:{}'",
}
VALUES = {"name": "a", "dataset": {"path": "d"}}


@given(st.text(alphabet=st.sampled_from("ab./\\~ \n\0-:é"), max_size=6))
def test_a_name_is_one_folder_below_another(name):
    try:
        check_name("name", name)
    except ConfigError:
        plain = all(c.isalnum() or c in "-_" for c in name) and name[:1] != "-"
        assert not (plain and name), "an ordinary name was refused"
        return
    below = Path("/runs") / name
    assert below.parent == Path("/runs")
    assert below.name == name
    assert ".." not in below.parts


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["../x", "/absolute", "a/b", "..", "."])
def test_every_field_refuses_paths(field, name):
    with pytest.raises(ConfigError, match=rf"`{field}[^`]*` must be a name.*Received"):
        config_from_values(VALUES, [FIELDS[field].format(name)])


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["a b", "2019", "réseau_50.v2"])
def test_every_field_takes_names(field, name):
    config_from_values(VALUES, [FIELDS[field].format(name)])


@pytest.mark.parametrize("field", ["name", "build.partition.name", "build.train"])
@pytest.mark.parametrize("value", ["no", "off", "false", "yes", "1.10", "1e3"])
def test_what_yaml_reads_as_something_else_is_no_text(field, value):
    with pytest.raises(ConfigError, match=f"`{field}` must be text.*quotation marks"):
        config_from_values(VALUES, [f"{field}={value}"])
    config_from_values(VALUES, [f"{field}='{value}'"])


@pytest.mark.parametrize("name", ["../x", "a/b", False, 2019])
def test_test_sets_have_names(name):
    tests = {name: {"database": "d", "queries": "q"}}
    with pytest.raises(ConfigError, match=r"`build\.tests[^`]*` must be"):
        config_from_values({**VALUES, "build": {"tests": tests}})
