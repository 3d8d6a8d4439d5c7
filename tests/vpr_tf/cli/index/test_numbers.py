"""Numbers that cannot be are refused in one line; no memory is asked for a wish."""

import json
import resource

import pytest

from tests.command_line import on_index, vpr
from vpr_tf.place_index import PlaceIndex

HUGE = "1000000000"


def test_query_finds_as_many_as_there_are(built, capsys):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index, photo = built / "city.index", built / "photos" / "1.png"
    assert on_index("query", index, photo, "--k", HUGE, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)[0]["matches"]) == 10
    # 12 GB would have been taken.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000


def test_python_refuses_what_there_cannot_be(built):
    with PlaceIndex.open(built / "city.index") as index:
        queries = index.state().descriptors[:1]
        with pytest.raises(ValueError, match="`k` must be at most 100,000: the data"):
            index.search(queries, 1_000_000_000)
        assert index.search(queries, 100).rows.shape == (1, 100)
        with pytest.raises(ValueError, match=r"must be 1 to 10,000\. Received"):
            index.localize([built / "photos" / "1.png"], num_predictions=1_000_000_000)


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("query", "--k", "0"),
        ("query", "--k", "1" * 5000),
        ("query", "--cells", "-1"),
        ("query", "--within", "37.7,-122.5,nan"),
        ("query", "--within", "37.7,-122.5,inf"),
        ("query", "--within", "nan,-122.5,9"),
        ("localize", "--k", HUGE),
        ("localize", "--heading", "nan"),
        ("localize", "--min-confidence", "nan"),
        ("add", "--max-rejected-fraction", "nan"),
        ("tune", "--seed", "-1"),
        ("tune", "--seed", "99999999999"),
        ("tune", "--sample", "0"),
        ("tune", "--budget-s", "nan"),
        ("tune", "--min-recall", "nan"),
    ],
)
def test_number_that_cannot_be_is_one_clear_line(built, command, option, value, capsys):
    words = [f"{option}={value}"]
    if command in ("query", "localize"):
        words.append(built / "photos" / "1.png")
    elif command == "add":
        words += ["--photos", built / "photos"]
    if command == "localize":
        status = vpr("localize", "--index", built / "city.index", *words)
    else:
        status = on_index(command, built / "city.index", *words)
    error = capsys.readouterr().err
    assert status == 2
    [line] = [line for line in error.splitlines() if line.startswith("Error: ")]
    assert "must be" in line or "cannot be" in line
    assert len(line) < 400


@pytest.mark.parametrize(
    "override",
    [
        "seed=-1",
        "seed=4294967296",
        "evaluation.batch_size=1000000000",
        "evaluation.image_size=1000000000",
        "evaluation.recall_values=[1,1000000000]",
        "localization.num_predictions=1000000000",
        "localization.cluster_radius_m=.nan",
        "localization.cluster_radius_m=.inf",
        "train.batch_size=1000000000",
        "train.image_size=1000000000",
        "encoder.descriptor_dim=1000000000",
        "encoder.aggregation.num_clusters=1000000000",
        "build.workers=1000000000",
        "report.num_resamples=1000000000000",
        "evaluation.positive_dist_threshold_m=.nan",
    ],
)
def test_number_of_a_config_that_cannot_be_is_refused(model, override, capsys):
    config = model.parent / "tiny.yaml"
    words = ["encoder.aggregation.name=netvlad", override]
    assert vpr("train", "--config", config, "--print-config", *words) == 2
    name = override.partition("=")[0]
    assert f"`{name}` must be" in capsys.readouterr().err
