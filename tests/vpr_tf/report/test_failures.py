import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from tests.vpr_tf.report.synthetic_report import synthetic_report
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.report.failures import failures, worst_queries
from vpr_tf.report.pictures import picture_uri


def report_with(error_m, confidence, num_positives, first_distance):
    report = synthetic_report(len(error_m))
    distances = report.result.descriptor_distances.copy()
    distances[:, 0] = first_distance
    result = dataclasses.replace(
        report.result,
        num_positives=np.array(num_positives),
        descriptor_distances=distances,
    )
    columns = {
        **report.per_query,
        "error_m": np.array(error_m, float),
        "confidence": np.array(confidence, float),
    }
    return dataclasses.replace(report, result=result, per_query=columns)


def test_sure_and_wrong_comes_first():
    report = report_with(
        [100, 3, 100, np.nan, 100, 100], [0.2, 0.9, 0.8, 0.9, 0.8, 1.0],
        [1, 1, 1, -1, 1, 0], [0.1, 0.1, 0.5, 0.1, 0.4, 0.1],
    )  # fmt: skip
    assert worst_queries(report, 10).tolist() == [4, 2, 0]
    assert worst_queries(report, 2).tolist() == [4, 2]


def test_without_confidence_the_most_similar_first_prediction_comes_first():
    nan = [np.nan] * 3
    report = report_with([50, 60, 70], nan, [1, 1, 1], [0.5, 0.1, 0.3])
    assert worst_queries(report, 10).tolist() == [1, 2, 0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    grey = (128, 128, 128)
    return write_dataset(
        tmp_path_factory.mktemp("prepared") / "tiny",
        {
            "test-x-database": [
                Shot(grey, east_m, size=(30, 50)) for east_m in (900.0, 4.0, 3.5, 20.0)
            ],
            "test-x-queries": [Shot(grey, 0.0, size=(400, 500))],
        },
    )


def only_query(dataset):
    report = only_query_report(dataset, report_with([900.0], [0.9], [3], [0.1]))
    (failure,) = failures(report, dataset, dataset.tests["x"], num_predictions=2)
    return failure


def only_query_report(dataset, report):
    result = dataclasses.replace(
        report.result,
        predictions=np.array([[0, 3, 1]]),
        distances_m=np.array([[900.0, 20.0, 4.0]]),
        hits=np.array([[False, True, True]]),
        descriptor_distances=np.array([[0.1, 0.2, 0.3]], np.float32),
        predicted_keys=np.array([[b"a", b"b", b"c"]]),
        query_keys=np.array(dataset.split("test-x-queries").keys),
    )
    return dataclasses.replace(report, result=result)


def test_failure_names_predictions_and_the_nearest_positive(dataset):
    failure = only_query(dataset)
    assert [shot.row for shot in failure.predictions] == [0, 3]
    assert [shot.is_positive for shot in failure.predictions] == [False, True]
    assert failure.nearest.row == 2
    assert failure.nearest.text == "3.5 m"
    assert failure.nearest_rank == 0
    assert failure.num_predictions == 3


def test_queries_that_are_named_need_no_positive(dataset):
    report = report_with([900.0], [0.9], [0], [0.1])
    near = dataclasses.replace(
        only_query_report(dataset, report), positive_dist_threshold_m=1.0
    )
    rows = np.array([0])
    (failure,) = failures(near, dataset, dataset.tests["x"], rows=rows)
    assert not failure.nearest.is_positive
    assert failures(near, dataset, dataset.tests["x"]) == []


def test_of_photos_at_one_place_the_one_that_looks_the_same_way_is_nearest(
    dataset, monkeypatch
):
    headings = {"test-x-queries": [350.0], "test-x-database": [0.0, 5.0, 180.0, 350.0]}

    def with_headings(split):
        table = original(split)
        heading_deg = np.array(headings[split.name], np.float32)
        return dataclasses.replace(table, heading_deg=heading_deg)

    original = SplitIndex.photo_table
    monkeypatch.setattr(SplitIndex, "photo_table", with_headings)
    failure = only_query(dataset)
    assert failure.nearest.row == 1
    assert failure.nearest_rank == 3


def test_pictures_are_small_jpegs(dataset):
    uri = picture_uri(dataset.split("test-x-queries"), 0)
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    data = base64.b64decode(data)
    assert len(data) <= 24_000
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (275, 220)
