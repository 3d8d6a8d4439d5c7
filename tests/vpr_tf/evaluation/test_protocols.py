import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.vpr_tf.evaluation.test_result_warnings import positions, unknown
from vpr_tf.config import (
    PROTOCOLS,
    ConfigError,
    EvaluationConfig,
    Preprocessing,
    config_from_values,
    find_protocol,
)
from vpr_tf.config.experiment import config_yaml
from vpr_tf.config.protocol_reference import protocols_markdown
from vpr_tf.evaluation.judge import Predictions, judge_positions
from vpr_tf.evaluation.protocols import (
    check_protocol_sets,
    count_warnings,
    protocol_of,
    size_warnings,
)
from vpr_tf.geo import Positions

PLACES = positions([[0, 0], [100, 0], [200, 0]])


def judged(protocol):
    """Four queries: found, not found, without a positive, of unknown position."""
    found = positions([[5, 0], [195, 0], [50, 0]])
    columns = [
        np.concatenate([getattr(found, name), getattr(unknown(1), name)])
        for name in (
            *("utm_east_cm", "utm_north_cm", "utm_zone"),
            *("latitude_deg", "longitude_deg"),
        )
    ]
    columns[3][3] = columns[4][3] = 0
    rows = np.array([[0], [1], [1], [0]])
    distances = np.full(rows.shape, 0.5, np.float32)
    predictions = Predictions(rows, distances, PLACES, np.full(rows.shape, b"p"))
    return judge_positions(
        predictions,
        Positions(*columns),
        np.array([b"a", b"b", b"c", b"d"]),
        recall_values=(1,),
        threshold_m=25.0,
        name="val_740",
        protocol=find_protocol(protocol),
    )


def test_queries_without_positives_are_missed_or_dropped():
    standard, dropping = judged("standard"), judged("msls_val_740")
    assert standard.recalls[1] == pytest.approx(100 / 3)
    assert dropping.recalls[1] == 50
    assert standard.num_counted == 3
    assert dropping.num_counted == 2
    assert dropping.dropped.tolist() == [False, False, True, False]
    for result, what in ((standard, "not found"), (dropping, "dropped")):
        assert result.num_queries_without_positives == 1
        assert result.num_queries_without_position == 1
        assert result.summary()["queries_without_positives_are"] == what
    assert dropping.summary()["protocol"] == "msls_val_740"


def test_val_is_judged_by_no_protocol_of_test_sets():
    config = EvaluationConfig(protocol="pitts30k")
    names = [protocol_of(config, name).name for name in ("val", "test", "night")]
    assert names == ["standard", "pitts30k", "pitts30k"]


def test_other_counts_than_the_protocol_has_are_told():
    queries, database = [
        text for text in judged("msls_val_740").warnings if "msls_val_740" in text
    ]
    assert "has 740 queries that count, this set has 2" in queries
    assert "has 18,871 database images, this set has 3" in database
    assert not [text for text in judged("standard").warnings if "protocol" in text]
    assert count_warnings(PROTOCOLS["sped"], 607, 607) == []


def test_heads_know_places_and_have_no_database_that_is_counted():
    result = dataclasses.replace(judged("sf_xl_v1"), method="classification")
    (text,) = result.count_warnings
    assert "has 1,000 queries that count, this set has 3" in text
    assert not result.has_stated_counts


def test_the_small_database_is_not_that_of_sf_xl():
    protocol = PROTOCOLS["sf_xl_v1"]
    (text,) = count_warnings(protocol, 1000, 27191)
    assert "has 2,805,815 or 2,588,640 database images, this set has 27,191" in text
    assert count_warnings(protocol, 1000, 2_588_640) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("st_lucia", "how many queries and database images the protocol st_lucia"),
        ("pitts250k", "how many database images the protocol"),
        ("sf_xl_v1", ""),
        ("standard", ""),
    ],
)
def test_counts_that_nobody_states_are_told_as_not_checked(name, what):
    found = [t for t in judged(name).warnings if "counts not stated, cannot be" in t]
    assert len(found) == bool(what)
    assert all(what in text for text in found)


def test_each_test_set_may_have_a_protocol_of_its_own():
    chosen = {"val_740": "msls_val_740", "val_all": "msls_val_all"}
    values = {
        "name": "a",
        "dataset": {"path": "a"},
        "evaluation": {"protocol": chosen},
    }
    config = config_from_values(values)
    assert config_from_values(yaml.safe_load(config_yaml(config))) == config
    names = [
        protocol_of(config.evaluation, name).name
        for name in ("val", "val_740", "val_all", "other")
    ]
    assert names == ["standard", "msls_val_740", "msls_val_all", "standard"]
    check_protocol_sets(config.evaluation, ["val_all", "val_740"])
    with pytest.raises(
        ConfigError, match=r"'val_all'.* mean val_al\? It has: val_al\."
    ):
        check_protocol_sets(EvaluationConfig(protocol={"val_all": "sped"}), ["val_al"])
    with pytest.raises(ConfigError, match=r"protocol\.val_740` must be one .* sped\?"):
        EvaluationConfig(protocol={"val_740": "spad"})
    with pytest.raises(ConfigError, match="must be 25, as the protocol sped"):
        EvaluationConfig(protocol={"a": "sped"}, positive_dist_threshold_m=10.0)
    for wrong in (3, {"a": 3}, ["sped"], None):
        with pytest.raises(ConfigError, match="must be the name of a protocol"):
            EvaluationConfig(protocol=wrong)
    # On the command line a name stands for all sets again.
    config = config_from_values(values, ["evaluation.protocol=sped"])
    assert protocol_of(config.evaluation, "val_740").name == "sped"


def test_photos_in_their_own_size_are_told_where_the_protocol_makes_them_small():
    tokyo = PROTOCOLS["tokyo247"]
    (text,) = size_warnings(tokyo, Preprocessing("native"))
    assert "evaluation.image_size=480" in text
    assert size_warnings(tokyo, Preprocessing("shorter_side", 480)) == []
    assert size_warnings(PROTOCOLS["pitts30k"], Preprocessing("native")) == []


def test_a_protocol_that_does_not_exist_or_fit_is_refused():
    with pytest.raises(ConfigError, match=r"Did you mean msls_val_740\?"):
        EvaluationConfig(protocol="msls_val_74")
    with pytest.raises(ConfigError, match="must be 25, as the protocol sped has it"):
        EvaluationConfig(protocol="sped", positive_dist_threshold_m=10.0)
    config = EvaluationConfig(positive_dist_threshold_m=10.0)
    assert config.rule_of("test").name == "standard"


def test_the_page_lists_all_protocols():
    page = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"
    command = "python -m vpr_tf.config.protocol_reference"
    assert protocols_markdown() in page.read_text(), f"Take the table of {command}"
