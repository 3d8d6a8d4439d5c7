"""What `vpr serve` refuses before it starts anything."""

import numpy as np
import pytest

from tests.command_line import vpr
from vpr_tf.config import LocalizationConfig, RerankConfig
from vpr_tf.localization import to_stored
from vpr_tf.place_index import PlaceIndex


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--index", "nothing"], "nothing"),
        (["--index", "city.index", "--index", "b/city"], "Two indexes are called city"),
        (["--index", "../x="], "--index NAME=DIR"),
        (["--index", "city.index", "--tiles", "http://a/{z}/{x}/{y}"], "--attribution"),
        (
            ["--index", "city.index", "--tiles", "http://a/{z}/{x}", "--attribution=A"],
            "without {y}",
        ),
        (["--index", "no.index", "--host-name", "a/b"], "without a port"),
        (["--index", "city.index", "--port", "70000"], "0 to 65,535"),
        (["--index", "city.index", "--keys", "no.json"], "no file at no.json"),
        (["--index", "city.index", "--photos", "no"], "no folder at no"),
        (["--index", "city.index", "--host", "no such host"], "--host"),
        (["--index", "city.index", "--proxies", "proxy"], "must be addresses"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    PlaceIndex.create("city.index", descriptors=np.eye(3)).close()

    assert vpr("serve", "--port", "0", *words) == 2

    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_options_of_reranking_are_for_the_indexes_that_are_reranked(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vpr_tf.serving.serve", lambda *words, **options: 0)
    for name in ("plain", "reranked"):
        PlaceIndex.create(f"{name}.index", descriptors=np.eye(3)).close()
    config = LocalizationConfig(rerank=RerankConfig("always", matcher="sift"))
    with PlaceIndex.open("reranked.index") as index:
        index.set_localization(to_stored(config, None))
    words = ("--index", "plain.index", "--photos", ".", "--matcher", "sift")
    assert vpr("serve", "--port", "0", *words) == 2
    assert "--matcher is of re-ranking, and nothing" in capsys.readouterr().err
    assert vpr("serve", "--port", "0", *words, "--index", "reranked.index") == 0
