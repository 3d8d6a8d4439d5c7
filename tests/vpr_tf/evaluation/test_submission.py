"""The file of predictions for a challenge whose ground truth its authors keep."""

import numpy as np
import pytest

from tests.vpr_tf.evaluation.test_protocols import judged
from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from vpr_tf.config import PROTOCOLS, EvaluationConfig
from vpr_tf.evaluation import EvaluationError, evaluate
from vpr_tf.evaluation.submission import check_submission, write_submission

CHALLENGE = PROTOCOLS["msls_challenge"]
GREYS = [(10 * i, 10 * i + 40, 90) for i in range(21)]


def shots(role, count, zone=0):
    return [
        Shot(GREYS[i], 0, zone=zone, key=f"test/c/{role}/images/{role}{i}.jpg")
        for i in range(count)
    ]


def evaluated(folder, **settings):
    splits = {"test-c-database": shots("d", 21), "test-c-queries": shots("q", 2)}
    dataset = write_dataset(folder / "set", splits)
    config = EvaluationConfig(protocol="msls_challenge", **settings)
    return evaluate(MeanColourEncoder(), dataset, "c", config, progress=False)


def test_each_query_has_its_twenty_nearest_in_order(tmp_path):
    result = evaluated(tmp_path, recall_values=[1])
    write_submission(result, tmp_path / "submission.txt")
    lines = (tmp_path / "submission.txt").read_text().split("\n")
    assert lines.pop() == ""
    for query, line in enumerate(lines):
        name, *predicted = line.split(" ")
        assert name == f"q{query}"
        assert len(predicted) == 20
        assert predicted == [f"d{row}" for row in result.predictions[query]]
    assert lines[0].startswith("q0 d0 ")


def test_more_predictions_than_are_submitted_are_cut(tmp_path):
    result = evaluated(tmp_path, recall_values=[1, 21])
    write_submission(result, tmp_path / "submission.txt")
    assert len((tmp_path / "submission.txt").read_text().split("\n")[0].split()) == 21


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([b"a/x.jpg", b"b/x.png"], r"of one photo alone. Received: 'x'"),
        ([b"a/x y.jpg"], r"without blanks, and not begin with #. Received: 'x y'"),
        ([b"#1.jpg"], r"Received: '#1'"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(keys, message):
    with pytest.raises(EvaluationError, match=message):
        check_submission(CHALLENGE, "retrieval", keys)


def test_names_are_refused_before_anything_is_computed(tmp_path):
    encoder = MeanColourEncoder()
    photos = [Shot(GREYS[0], 0, zone=0, key=f"{i}/x.jpg") for i in range(2)]
    splits = {"test-c-database": photos, "test-c-queries": shots("q", 1)}
    dataset = write_dataset(tmp_path / "set", splits)
    config = EvaluationConfig(protocol="msls_challenge")
    with pytest.raises(EvaluationError, match="of one photo alone"):
        evaluate(encoder, dataset, "c", config, progress=False)
    assert int(encoder.num_images) == 0


def test_places_are_no_submission():
    with pytest.raises(EvaluationError, match="classification, which predicts places"):
        check_submission(CHALLENGE, "classification", [b"a.jpg"])


def test_protocols_with_ground_truth_have_no_submission():
    check_submission(PROTOCOLS["standard"], "retrieval", [b"a.jpg", b"a.png"])
    assert judged("msls_val_740").rule.num_submitted == 0
    assert [name for name, one in PROTOCOLS.items() if one.num_submitted] == [
        "msls_challenge"
    ]
    assert np.isfinite(judged("msls_val_740").recalls[1])
