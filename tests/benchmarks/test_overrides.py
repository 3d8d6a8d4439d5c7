import argparse

import pytest

from benchmarks.overrides import parse_with_overrides


def parser():
    made = argparse.ArgumentParser()
    made.add_argument("--config", nargs="+")
    made.add_argument("--margins", type=float, nargs="*", default=[])
    return made


@pytest.mark.parametrize(
    "words",
    [
        "--config a.yaml --margins 0 0.2 train.epochs=4 name=x",
        "train.epochs=4 --config a.yaml name=x --margins 0 0.2",
        "--margins 0 0.2 train.epochs=4 --config a.yaml name=x",
    ],
)
def test_overrides_stand_anywhere_in_their_order(words):
    options = parse_with_overrides(parser(), words.split())
    assert options.overrides == ["train.epochs=4", "name=x"]
    assert (options.config, options.margins) == (["a.yaml"], [0.0, 0.2])


def test_a_path_with_an_equals_sign_is_none():
    words = ["--config", "runs/sweep/partition=hge/config.yaml", "name=x"]
    options = parse_with_overrides(parser(), words)
    assert options.config == ["runs/sweep/partition=hge/config.yaml"]
    assert options.overrides == ["name=x"]
