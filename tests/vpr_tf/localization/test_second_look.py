"""Queries compared with their candidates, by counts that a test knows."""

import dataclasses

import numpy as np
import pytest

from tests.vpr_tf.localization.places import photos_in_plane
from vpr_tf.config import LocalizationConfig, RerankConfig
from vpr_tf.localization import (
    Calibration,
    Candidates,
    Compared,
    FittedOn,
    InlierPoints,
    LocalizationError,
    MatchedPoints,
    NotMatchedError,
    SecondLook,
    calibrate_on_queries,
    calibrate_reranked,
    estimate_positions,
    localize_matches,
    read_reranked,
    read_stored,
    to_stored,
    wide_config,
)
from vpr_tf.localization.candidates import CHANCE_INLIERS
from vpr_tf.localization.features import RERANKED

RERANK = RerankConfig("always", candidates=4)
CONFIG = LocalizationConfig(num_predictions=4, rerank=RERANK)
# Two photos of one place, 1 km from two of another, each place 3 m apart.
PHOTOS = photos_in_plane([0, 3, 1000, 1003], [0, 0, 0, 0])
ROWS = np.array([[0, 1, 2, 3]])
DISTANCES = np.array([[0.5, 0.52, 0.6, 0.62]])


@dataclasses.dataclass
class Counts:
    """Counts of a table by query and key."""

    table: dict[bytes, int]
    unmatched: tuple[int, ...] = ()
    unreadable: tuple[bytes, ...] = ()
    matched_by: str = "counts"

    def __post_init__(self):
        self.calls = []

    def compare(self, query, rows, keys):
        assert keys == [PHOTOS.keys[row] for row in rows]
        self.calls.append((query, list(keys)))
        if query in self.unmatched:
            raise NotMatchedError("it is too dark")
        gone = self.unreadable
        points = [None if k in gone else shared(self.table.get(k, 0)) for k in keys]
        return Compared(points, "one is gone" if set(gone) & set(keys) else "")


def shared(count: int) -> MatchedPoints:
    """Key points on a line; the match is twice as large."""
    xy = np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, 1)
    return MatchedPoints(xy, 2 * xy, (300, 400), (600, 800))


OTHER_PLACE = Counts({b"2.jpg": 150, b"3.jpg": 200})


def locate(counter=None, config=CONFIG, rows=ROWS, distances=DISTANCES, **options):
    look = None
    if counter is not None:
        look = SecondLook(config.rerank, counter, options.pop("reranked", None))
    names = [f"{query}.png" for query in range(len(rows))]
    return localize_matches(
        names, distances, rows, PHOTOS, config, second_look=look, **options
    )


def test_inliers_move_the_position_to_the_place_that_is_seen():
    [first], [second] = locate(), locate(OTHER_PLACE)
    assert first.matches[0].key == "0.jpg"
    assert not first.reranked
    assert first.matches[0].inliers is None
    assert [match.key for match in second.matches] == ["3.jpg", "2.jpg"]
    assert [match.inliers for match in second.matches] == [200, 150]
    assert second.reranked
    assert second.utm_east - first.utm_east == pytest.approx(1000, abs=4)


def test_chance_inliers_change_nothing():
    [first] = locate()
    [second] = locate(Counts({b"3.jpg": CHANCE_INLIERS, b"0.jpg": 3}))
    assert [match.key for match in second.matches] == ["0.jpg", "1.jpg"]
    assert (second.latitude, second.utm_east) == (first.latitude, first.utm_east)


def test_candidates_beyond_those_that_vote_are_compared():
    config = dataclasses.replace(CONFIG, num_predictions=2)
    counter = Counts(OTHER_PLACE.table)
    [found] = locate(counter, config)
    assert counter.calls == [(0, [b"0.jpg", b"1.jpg", b"2.jpg", b"3.jpg"])]
    assert [match.key for match in found.matches] == ["3.jpg", "2.jpg"]
    assert found.num_candidates == 2


def test_a_query_that_cannot_be_compared_keeps_its_first_look():
    rows, distances = np.repeat(ROWS, 2, 0), np.repeat(DISTANCES, 2, 0)
    counter = Counts(OTHER_PLACE.table, unmatched=(0,))
    found = locate(counter, rows=rows, distances=distances)
    assert found[0] == dataclasses.replace(
        locate(rows=rows, distances=distances)[0],
        warning="not re-ranked: it is too dark",
    )
    assert found[1].matches[0].key == "3.jpg"
    assert found[1].warning == ""


def test_a_candidate_that_cannot_be_compared_stays_without_evidence():
    counter = Counts(OTHER_PLACE.table, unreadable=(b"3.jpg",))
    [found] = locate(counter)
    assert [match.key for match in found.matches] == ["2.jpg", "3.jpg"]
    assert [match.inliers for match in found.matches] == [150, None]
    assert found.reranked
    assert found.num_candidates == 4
    assert found.warning == "re-ranked without some candidates: one is gone"


def test_a_query_stays_where_it_was_when_the_photos_of_its_place_are_gone():
    [first] = locate()
    chance = {b"2.jpg": CHANCE_INLIERS}
    [found] = locate(Counts(chance, unreadable=(b"0.jpg", b"1.jpg")))
    assert found == dataclasses.replace(first, warning="not re-ranked: one is gone")


def test_a_missing_photo_leaves_a_confidence():
    config = dataclasses.replace(CONFIG, rerank=RerankConfig("always", candidates=20))
    first, second = _calibration(config=config)
    assert second.min_votes == 4
    whole = Counts(OTHER_PLACE.table, matched_by="truth")
    damaged = dataclasses.replace(whole, unreadable=(b"1.jpg",))
    options = {"calibration": first, "reranked": second}
    wanted, found = (locate(one, config, **options)[0] for one in (whole, damaged))
    assert wanted.confidence is not None
    assert found == dataclasses.replace(wanted, warning=found.warning)


def test_matches_say_where_key_points_lie_if_that_is_asked_for():
    look = SecondLook(RERANK, Counts({b"3.jpg": 2}), keeps_points=True)
    how = (["0.png"], DISTANCES, ROWS, PHOTOS, CONFIG)
    [found] = localize_matches(*how, second_look=look)
    of_key = {match.key: match for match in found.matches}
    assert of_key["0.jpg"].inlier_points == InlierPoints([], [], 400, 300, 800, 600)
    look = dataclasses.replace(look, counter=Counts({b"0.jpg": 2}))
    [found] = localize_matches(*how, second_look=look)
    assert found.matches[0].inlier_points == InlierPoints(
        [(0.0, 0.0), (1.0, 1.0)], [(0.0, 0.0), (2.0, 2.0)], 400, 300, 800, 600
    )
    [found] = localize_matches(
        *how, second_look=dataclasses.replace(look, keeps_points=False)
    )
    assert found.matches[0].inlier_points is None


def test_each_look_says_what_it_was_judged_by():
    config = dataclasses.replace(CONFIG, rerank=RerankConfig("always", candidates=20))
    first, second = _calibration(config=config)
    first = dataclasses.replace(first, min_confidence=0.3)
    second = dataclasses.replace(second, min_confidence=0.7, min_votes=1)
    counter = Counts(OTHER_PLACE.table, matched_by="truth", unmatched=(0,))
    rows, distances = np.repeat(ROWS, 2, 0), np.repeat(DISTANCES, 2, 0)
    found = locate(counter, config, rows, distances, calibration=first, reranked=second)
    assert [one.min_confidence for one in found] == [0.3, 0.7]


def test_missing_matches_are_not_compared():
    rows, distances = np.array([[2, -1, 0, -1]]), np.array([[0.7, 9, 0.5, 9]])
    counter = Counts({b"2.jpg": 90})
    [found] = locate(counter, rows=rows, distances=distances)
    assert counter.calls == [(0, [b"0.jpg", b"2.jpg"])]
    assert found.matches[0].key == "2.jpg"
    [outside] = locate(counter, rows=np.array([[-1] * 4]), distances=DISTANCES)
    assert outside.status == "outside"
    assert len(counter.calls) == 1


def _calibration(num_queries=200, seed=0, config=CONFIG):
    """Places 100 m apart, each with two photos; similarity is chance, inliers tell."""
    rng = np.random.default_rng(seed)
    east = np.repeat(100.0 * np.arange(20), 2) + np.tile([0, 3], 20)
    photos = photos_in_plane(east, np.zeros(40))
    place = rng.integers(0, 20, num_queries)
    queries = photos_in_plane(100.0 * place + 1, np.zeros(num_queries))
    rows = np.argsort(rng.random((num_queries, 40)), axis=1)
    distances = np.sort(rng.uniform(0.3, 1.2, rows.shape), axis=1)
    # The nearest is of the place in half of the queries, not at random.
    lucky = rng.random(num_queries) < 0.6
    rows[lucky, 0], rows[lucky, 1] = 2 * place[lucky], 2 * place[lucky] + 1

    class Truth:
        matched_by = "truth"

        def compare(self, query, rows, keys):
            if query == 7:
                raise NotMatchedError("it is too dark")
            of_place = [int(key[:-4]) // 2 for key in keys]
            return Compared([shared(80 if p == place[query] else 9) for p in of_place])

    how = (distances, rows, queries, photos, config, FittedOn("val", 25.0, "e"))
    look = SecondLook(config.rerank, Truth())
    return calibrate_on_queries(*how), calibrate_reranked(*how, look)


def test_inliers_become_features_of_the_calibration():
    config = dataclasses.replace(
        CONFIG, rerank=RerankConfig("below_confidence", candidates=20)
    )
    first, second = _calibration(config=config)
    assert set(second.feature_weights) == set(RERANKED.names)
    weights = second.feature_weights
    assert weights["inliers"] > 0 or weights["inlier_gap"] > 0
    assert second.settings["matched_by"] == "truth, 20 candidates"
    assert second.num_queries == 199  # one cannot be compared
    assert second.coverage > first.coverage + 0.1
    assert second.precision > 0.95
    stored = to_stored(config, first, second)
    assert read_stored(stored, "e") == (config, first)
    assert read_reranked(stored, "e") == second
    assert read_reranked(to_stored(config, first), "e") is None
    assert read_reranked(None, "e") is None
    with pytest.raises(LocalizationError, match="of another encoder"):
        read_reranked(stored, "f")
    stored["reranked"]["min_votes"] = "1"
    with pytest.raises(LocalizationError, match="`min_votes` must be a whole number"):
        read_reranked(stored, "e")


def test_settings_without_reranking_are_stored_as_before():
    stored = to_stored(LocalizationConfig(), None)
    assert set(stored) == {"settings", "calibration"}
    assert "rerank" not in stored["settings"]
    own = LocalizationConfig(rerank=RerankConfig("always", weights="/tmp/x.weights.h5"))
    config, _ = read_stored(to_stored(own, None), "")
    assert config.rerank == RerankConfig("always")


def test_confidences_of_reranked_photos_need_their_own_calibration():
    first, second = _calibration()
    candidates = Candidates.from_matches(DISTANCES, ROWS, PHOTOS, CONFIG)
    inliers = np.array([[9, 9, 150, 200]])
    reranked = candidates.reranked(inliers, "truth, 4 candidates", CONFIG)
    estimates = estimate_positions(reranked, CONFIG, calibration=second)
    assert estimates.feature_set is RERANKED
    assert estimates.confidence[0] > 0.5
    with pytest.raises(LocalizationError, match=r"matched_by=None.*Received: truth"):
        estimate_positions(reranked, CONFIG, calibration=first)
    other = candidates.reranked(inliers, "others", CONFIG)
    with pytest.raises(LocalizationError, match=r"matched_by=truth, 4.*others"):
        estimate_positions(other, CONFIG, calibration=second)


def _with_confidence(confidence: list[float], least: float | None):
    @dataclasses.dataclass
    class Found:
        members: np.ndarray
        confidence: np.ndarray
        min_confidence: float | None

    some = np.ones((len(confidence), 1), bool)
    some[-1] = False  # nothing to compare with
    return Found(some, np.array(confidence), least)


@pytest.mark.parametrize(
    ("rerank", "least", "wanted"),
    [
        ({"when": "never"}, 0.5, []),
        ({"when": "always"}, 0.5, [0, 1, 2]),
        ({"when": "below_confidence"}, 0.5, [1, 2]),
        ({"when": "below_confidence", "confidence": 0.95}, 0.5, [0, 1, 2]),
        ({"when": "below_confidence"}, None, [0, 1, 2]),
    ],
)
def test_who_gets_a_second_look(rerank, least, wanted):
    look = SecondLook(RerankConfig(**rerank), OTHER_PLACE)
    estimates = _with_confidence([0.9, 0.4, float("nan"), 0.1], least)
    assert look.wanted(estimates).tolist() == wanted


def test_sure_photos_are_not_compared():
    config = dataclasses.replace(
        CONFIG, rerank=RerankConfig("below_confidence", candidates=4, confidence=0.6)
    )
    first, _ = _calibration()
    curve = {"scores": [0.0, 1.0], "log_odds": [-3.0, 3.0], "min_votes": 1}
    weights = {"similarity": 0.0, "gap": 0.0, "share": 1.0}
    settings = dict(first.settings)
    sure = dataclasses.replace(
        first, **curve, feature_weights=weights, settings=settings
    )
    assert isinstance(sure, Calibration)
    # All agree in the first query; in the second they are of two places.
    rows = np.array([[0, 1, -1, -1], [0, 2, -1, -1]])
    distances = np.array([[0.5, 0.5, 9, 9], [0.5, 0.5, 9, 9]])
    counter = Counts({b"2.jpg": 90})
    found = locate(counter, config, rows, distances, calibration=sure)
    assert [one.reranked for one in found] == [False, True]
    assert [query for query, _ in counter.calls] == [1]
    assert found[0].confidence == pytest.approx(1 / (1 + np.exp(-3)))
    assert found[1].confidence is None  # by no calibration of re-ranked photos


def test_inliers_of_another_shape_or_of_cells_are_refused():
    candidates = Candidates.from_matches(DISTANCES, ROWS, PHOTOS, CONFIG)
    with pytest.raises(LocalizationError, match=r"`inliers` must .*\(1, 4\).*\(1, 3\)"):
        candidates.reranked(np.zeros((1, 3)), "x", CONFIG)
    cells = Candidates.from_cells(PHOTOS.positions, ROWS, -DISTANCES)
    with pytest.raises(LocalizationError, match="cells of a classifier"):
        cells.photos_of(0)


@pytest.mark.parametrize(("voting", "candidates", "compared"), [(4, 8, 8), (9, 8, 9)])
def test_what_votes_is_compared(voting, candidates, compared):
    rerank = dataclasses.replace(RERANK, candidates=candidates)
    config = dataclasses.replace(CONFIG, num_predictions=voting, rerank=rerank)
    assert wide_config(config).num_predictions == compared
