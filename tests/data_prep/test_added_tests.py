import dataclasses
import json

import numpy as np
import pytest

from data_prep.added_tests import add_test
from data_prep.build import build_dataset
from data_prep.errors import DataPrepError
from tests.data_prep.conftest import image_name, write_images
from tests.data_prep.test_build_dataset import files_of, replace_build
from vpr_tf.config import DatabaseAndQueries
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset

TOKYO = DatabaseAndQueries("tokyo/database", "tokyo/queries")


@pytest.fixture
def config(tmp_path, city_config):
    write_images(tmp_path / "tokyo" / "database", 20, pano_id="tokyo")
    write_images(tmp_path / "tokyo" / "queries", 5, pano_id="tokyo")
    (tmp_path / "tokyo" / "queries" / "broken.jpg").write_text("no image")
    return replace_build(city_config, max_rejected_fraction=0.5)


def test_added_set_is_as_if_it_had_been_built(tmp_path, config):
    before = files_of(build_dataset(config).path)
    dataset = add_test(config, {"tokyo": TOKYO})
    after = files_of(dataset.path)
    unchanged = before.keys() - {"manifest.json", "dataset_info.json", "rejected.csv"}
    assert {name: after[name] for name in unchanged} == {
        name: before[name] for name in unchanged
    }
    other = dataclasses.replace(config.dataset, path=str(tmp_path / "whole"))
    tests = config.build.tests | {"tokyo": TOKYO}
    whole = build_dataset(
        replace_build(dataclasses.replace(config, dataset=other), tests=tests)
    )
    expected = files_of(whole.path)
    assert after.keys() == expected.keys()
    for name in after.keys() - {"manifest.json"}:
        assert after[name] == expected[name], name
    assert dataset.tests == whole.tests
    assert dataset.manifest["splits"] == whole.manifest["splits"]


def test_fingerprints_tell_added_splits_apart(config):
    built = build_dataset(config)
    dataset = add_test(config, {"tokyo": TOKYO})
    assert dataset.fingerprint == built.fingerprint
    assert dataset.split_fingerprint("train") == built.fingerprint
    added = dataset.split_fingerprint("test-tokyo-queries")
    assert added != built.fingerprint


def test_adding_again_changes_nothing(config, capsys):
    build_dataset(config)
    path = add_test(config, {"tokyo": TOKYO}).path
    before = files_of(path)
    add_test(config, {"tokyo": TOKYO})
    assert "already; nothing to do" in capsys.readouterr().out
    build_dataset(config)
    build_dataset(replace_build(config, tests=config.build.tests | {"tokyo": TOKYO}))
    assert files_of(path) == before


def test_database_that_is_there_is_not_stored_again(config):
    build_dataset(config)
    dataset = add_test(
        config, {"night": DatabaseAndQueries("test/database", "tokyo/queries")}
    )
    assert dataset.tests["night"].database == "test-day-database"
    again = add_test(config, {"dusk": TOKYO})
    assert again.tests["dusk"].queries == "test-night-queries"
    assert len((dataset.path / "rejected.csv").read_text().splitlines()) == 2


def test_name_that_is_taken_is_refused(config):
    build_dataset(config)
    with pytest.raises(DataPrepError, match="another test set 'day'"):
        add_test(config, {"day": TOKYO})


def test_build_of_a_config_with_a_new_set_names_the_command(config):
    build_dataset(config)
    tests = config.build.tests | {"tokyo": TOKYO}
    with pytest.raises(DataPrepError, match=r"Add them with `vpr data add-test"):
        build_dataset(replace_build(config, tests=tests))


def test_dataset_must_be_complete(config):
    with pytest.raises(DatasetError, match=r"manifest\.json is missing"):
        add_test(config, {"tokyo": TOKYO})


def test_killed_at_any_step_it_is_the_old_or_the_new_dataset(
    tmp_path, config, monkeypatch
):
    import data_prep.added_tests
    import data_prep.build
    import data_prep.finish

    class Killed(BaseException):
        pass

    path = build_dataset(config).path
    old = json.loads((path / "manifest.json").read_text())
    steps = [
        (data_prep.build, "scan_split"),
        (data_prep.build, "write_shards"),
        (data_prep.added_tests, "write_indexes"),
        (data_prep.added_tests, "write_tfds_metadata"),
        (data_prep.finish, "write_atomically"),
    ]
    for module, name in steps:

        def interrupted(*_):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupted)
            with pytest.raises(Killed):
                add_test(config, {"tokyo": TOKYO})
        assert PreparedDataset(path).manifest == old
    # Another set may be added instead.
    (tmp_path / "tokyo" / "queries" / image_name(50)).write_bytes(
        next((tmp_path / "train").iterdir()).read_bytes()
    )
    dataset = add_test(config, {"tokyo": TOKYO})
    queries = dataset.split("test-tokyo-queries")
    assert len(queries) == 6
    assert np.all(queries.column("height") == 16)
    assert not (path / ".build").exists()
