from vpr_tf.config import PROTOCOLS
from vpr_tf.report.published import published_on, published_recalls


def test_published_recalls_are_of_protocols_and_can_be():
    found = published_recalls()
    assert {one.protocol for one in found} <= {*PROTOCOLS, "msls_val_not_stated"}
    for one in found:
        values = [one.recalls[n] for n in sorted(one.recalls)]
        assert values == sorted(values), one
        assert values[0] > 0, one
        assert values[-1] <= 100, one
        assert one.source


def test_the_best_of_a_protocol_comes_first():
    found = published_on("msls_val_740")
    assert [(one.method, one.recalls[1]) for one in found[-2:]] == [
        ("BoQ", 93.8),
        ("MegaLoc", 93.5),
    ]
    # Numbers whose protocol is not stated stand beside none.
    assert all("EigenPlaces" not in one.method for one in found)
    assert published_on("standard") == []
