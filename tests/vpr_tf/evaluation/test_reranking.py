"""Evaluations whose predictions are compared with the queries point by point."""

import dataclasses

import numpy as np
import pytest

from tests.vpr_tf.evaluation.tiny_dataset import write_dataset
from tests.vpr_tf.matching.streets import SameEncoder, streets
from vpr_tf.config import (
    DatasetConfig,
    EvaluationConfig,
    ExperimentConfig,
    LocalizationConfig,
    ReportConfig,
    RerankConfig,
)
from vpr_tf.evaluation import EvaluatedModel, Evaluation
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.reranking import SetReranking
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.report import run
from vpr_tf.report.run import report_on

NUM = 6
RERANK = RerankConfig("always", candidates=4, matcher="sift")
TOWN = {
    "val-database": streets(NUM, 0, first=10),
    "val-queries": streets(NUM, 20, east_m=3, first=10),
    "test-a-database": streets(NUM, 0),
    "test-a-queries": streets(NUM, 20, east_m=3),
}


def config_of(rerank: RerankConfig) -> ExperimentConfig:
    return ExperimentConfig(
        name="town",
        dataset=DatasetConfig(path="unused"),
        evaluation=EvaluationConfig(batch_size=4, recall_values=[1, 2, 5]),
        localization=LocalizationConfig(num_predictions=4, rerank=rerank),
        report=ReportConfig(num_resamples=50),
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    dataset = write_dataset(folder / "dataset", TOWN)
    extractor = FeatureExtractor(SameEncoder(), batch_size=4)
    model, config = EvaluatedModel(extractor), config_of(RERANK).evaluation
    return Evaluation(dataset, [dataset.tests["a"]], model, config, folder / "out")


def with_reranking(opened, rerank):
    config = config_of(rerank)
    reranking = SetReranking.of_config(config, opened.extractor)
    return dataclasses.replace(opened, reranking=reranking), config


def test_recall_is_that_of_the_new_order(opened):
    first = opened.evaluate(opened.sets[0])
    assert first.recalls[1] == pytest.approx(100 / NUM)  # all look alike
    reranked, _ = with_reranking(opened, RERANK)
    result = reranked.evaluate(opened.sets[0])
    # Of equal similarity the first four are compared; the last two stay where they are.
    assert result.recalls == pytest.approx({1: 400 / NUM, 2: 400 / NUM, 5: 500 / NUM})
    np.testing.assert_array_equal(result.predictions[:4, 0], np.arange(4))
    np.testing.assert_array_equal(np.sort(result.predictions, 1), first.predictions)
    np.testing.assert_array_equal(result.predictions[:, 4:], first.predictions[:, 4:])
    assert result.query_keys.tolist() == first.query_keys.tolist()
    assert result.engine == first.engine


def test_report_judges_the_reranked_positions(opened, monkeypatch):
    monkeypatch.setattr(run, "write_html", lambda *args, **kwargs: None)
    plain = config_of(RerankConfig())
    [before] = report_on(opened, plain).values()
    reranked, config = with_reranking(opened, RERANK)
    [after] = report_on(reranked, config).values()
    assert after.identity.search == "exact, re-ranked"
    assert before.errors["cluster"].median_m.value > 100
    assert after.errors["cluster"].median_m.value == pytest.approx(3, abs=0.1)
    assert after.errors["best_match"].median_m.value == pytest.approx(3, abs=0.1)
    inliers = after.per_query["inliers"]
    assert (inliers[:4] > 100).all()
    assert (inliers[4:] < inliers[:4].min()).all()  # their photos are not among four
    assert "inliers" not in before.per_query
    # With inliers the confidence knows which positions are right.
    assert after.confidence.calibrated_on == "val, 6 queries"
    assert after.confidence.num_queries == NUM


def test_sure_queries_are_not_compared(opened):
    never_sure = RerankConfig("below_confidence", 1.0, candidates=4, matcher="sift")
    reranked, _ = with_reranking(opened, never_sure)
    assert reranked.evaluate(opened.sets[0]).recalls[1] == pytest.approx(400 / NUM)
    assert len(reranked.reranking.looks["a"].queries) == NUM
    always_sure = dataclasses.replace(never_sure, confidence=0.0)
    reranked, _ = with_reranking(opened, always_sure)
    assert reranked.evaluate(opened.sets[0]).recalls[1] == pytest.approx(100 / NUM)
    assert len(reranked.reranking.looks["a"].queries) == 0


def test_places_of_heads_are_no_photos(opened):
    config = config_of(RERANK)
    evaluation = dataclasses.replace(config.evaluation, method="classification")
    config = dataclasses.replace(config, evaluation=evaluation)
    with pytest.raises(EvaluationError, match=r"must be never with .*classification"):
        SetReranking.of_config(config, opened.extractor)
