import dataclasses

from tests.vpr_tf.report.synthetic_report import synthetic_report
from vpr_tf.config import PROTOCOLS
from vpr_tf.report.published import published_on, published_recalls
from vpr_tf.report.tables import published_table


def test_published_recalls_are_of_protocols_and_can_be():
    found = published_recalls()
    assert {one.protocol for one in found} <= {*PROTOCOLS, ""}
    for one in found:
        values = [one.recalls[n] for n in sorted(one.recalls)]
        assert values == sorted(values), one
        assert values[0] >= 0, one
        assert values[-1] <= 100 or one.metric == "ms a query", one
        assert one.source
        assert one.data


def test_the_best_of_a_protocol_comes_first():
    found = published_on("msls_val_740")
    assert [(one.method, one.recalls[1]) for one in found[-2:]] == [
        ("BoQ", 93.8),
        ("MegaLoc", 93.5),
    ]
    # Numbers whose protocol is not stated are not among them.
    assert all("EigenPlaces" not in one.method for one in found)
    assert published_on("standard") == []
    assert published_on("") == []


def test_reports_are_not_shown_what_is_no_exact_search_of_a_database():
    methods = [one.method for one in published_on("sf_xl_v1")]
    assert "CosPlace VGG16-128" in methods
    assert not {"PlaNet", "CosPlace, HNSW", "D&C"} & {*methods}


def test_a_report_shows_published_recalls_of_its_protocol_beside_its_own():
    report = synthetic_report()
    assert published_table(report).rows == []
    identity = dataclasses.replace(report.identity, protocol="st_lucia")
    result = dataclasses.replace(report.result, protocol="st_lucia")
    report = dataclasses.replace(report, identity=identity, result=result)
    table = published_table(report)
    assert [column.name for column in table.columns][:3] == [
        *("method", "R@1 (%)", "R@5 (%)")
    ]
    assert "Counts not stated, cannot be checked" in table.note
    ours, best = table.rows[:2]
    assert ours[:2] == ["this report", report.recalls.at(25.0)[1]]
    assert best[1] == 99.6
    resnet18 = next(row for row in table.rows if row[0] == "CosPlace ResNet18-512")
    assert resnet18[1:] == [98.8, 99.7, 99.9, 100.0, "VPR-methods-evaluation, README"]
    for name in ("sf_xs", "sf_xl_v1"):  # they have 1,000 queries, and more photos
        identity = dataclasses.replace(identity, protocol=name)
        other = dataclasses.replace(result, protocol=name)
        report = dataclasses.replace(report, identity=identity, result=other)
        assert published_table(report).rows == []
