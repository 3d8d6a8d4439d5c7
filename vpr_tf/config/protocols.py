"""Named protocols: what a recall is measured on, and by which rule.

Numbers of two protocols are not comparable: on Mapillary's validation cities they
differ by 2 to 5 points of R@1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vpr_tf.config.rules import check, check_choice

STANDARD = "standard"
POSITIVE_DISTANCE_M = 25.0  # largest distance of a positive, as the field measures


@dataclass(frozen=True)
class Protocol:
    """What recall of a set means.

    Attributes:
        name: As `evaluation.protocol` and results have it.
        sets: The photos that it is of, for people.
        positives: The rule of positives, for people.
        threshold_m: The same as a distance between the positions of the prepared
            tables; None: `evaluation.positive_dist_threshold_m`.
        drops_unmatched: Whether queries without positives are left out, instead of
            being counted as not found.
        num_queries: How many count; None where that is not stated.
        num_database: Sizes that the database may have, where copies differ; empty
            where that is not stated.
        shorter_side_px: What larger photos are made to first; None for their own size.
        num_submitted: Predictions of each query in a file for the authors, who keep
            the ground truth; 0 where everybody has it.
    """

    name: str
    sets: str
    positives: str = "within 25 m"
    threshold_m: float | None = POSITIVE_DISTANCE_M
    drops_unmatched: bool = False
    num_queries: int | None = None
    num_database: tuple[int, ...] = ()
    shorter_side_px: int | None = None
    num_submitted: int = 0

    @property
    def unmatched(self) -> str:
        """What queries without positives are, for people."""
        if self.num_submitted:
            return "not known"
        return "dropped" if self.drops_unmatched else "not found"

    def differing_counts(
        self, num_counted: int, num_database: int | None
    ) -> list[tuple[str, tuple[int, ...], int]]:
        """Returns what a set has another number of: what, as stated, as it has.

        Args:
            num_counted: Queries in the recall.
            num_database: Database images; None where heads predict without them.
        """
        queries = () if self.num_queries is None else (self.num_queries,)
        pairs = (
            ("queries that count", queries, num_counted),
            ("database images", self.num_database, num_database),
        )
        return [
            (what, stated, found)
            for what, stated, found in pairs
            if stated and found is not None and found not in stated
        ]

    @property
    def unstated(self) -> str:
        """What of a set nobody can check against it, for people; empty for nothing.

        `standard` is of no set, and where a file is submitted nothing is measured.
        """
        missing = ["queries"] * (self.num_queries is None)
        missing += ["database images"] * (not self.num_database)
        if self.name == STANDARD or self.num_submitted or not missing:
            return ""
        return (
            f"counts not stated, cannot be checked: how many {' and '.join(missing)} "
            f"the protocol {self.name} has. Numbers of others may be of other photos."
        )


def _test(name: str, sets: str, queries: int | None, *database: int) -> Protocol:
    return Protocol(name, sets, num_queries=queries, num_database=database)


def _by_name(protocols: Iterable[Protocol]) -> dict[str, Protocol]:
    return {protocol.name: protocol for protocol in protocols}


# Of the copies that people have.
_SF_XL = (2_805_815, 2_588_640)
_PAIR = "the other photo of the pair, as 25 m between made-up positions"
PROTOCOLS = _by_name(
    (
        Protocol(
            STANDARD,
            "any set",
            "within evaluation.positive_dist_threshold_m",
            threshold_m=None,
        ),
        _test("pitts30k", "Pitts30k test", 6816, 10000),
        _test("pitts250k", "Pitts250k test", 8280),
        Protocol(
            "tokyo247",
            "Tokyo 24/7",
            num_queries=315,
            num_database=(75984,),
            shorter_side_px=480,
        ),
        Protocol(
            "msls_val_740",
            "MSLS cph and sf, official subtask `all`",
            drops_unmatched=True,
            num_queries=740,
            num_database=(18871,),
        ),
        Protocol(
            "msls_challenge",
            "MSLS test cities, official subtask `all`",
            "kept by the authors: submission.txt is for them",
            threshold_m=None,
            num_submitted=20,
        ),
        _test("msls_val_all", "MSLS cph and sf, all but panoramas", None, 18871),
        Protocol(
            "nordland",
            "Nordland, winter queries, summer database",
            "within 10 frames, as 25 m between made-up positions",
            num_queries=27592,
            num_database=(27592,),
        ),
        Protocol(
            "nordland_2760",
            "Nordland, 2,760 summer queries, winter database",
            "within 1 frame of 10 x its number, as 25 m between made-up positions",
            num_queries=2760,
            num_database=(27592,),
        ),
        Protocol(
            "amstertime", "AmsterTime, old to new", _PAIR, 25.0, False, 1231, (1231,)
        ),
        Protocol("sped", "SPED", _PAIR, 25.0, False, 607, (607,)),
        _test("st_lucia", "St Lucia, last pass to first", None),
        _test("eynsham", "Eynsham, second loop to first", None, 23935),
        _test("san_francisco", "San Francisco Landmark", 598),
        _test("svox", "SVOX, any of its queries", None),
        _test("sf_xl_v1", "SF-XL test v1", 1000, *_SF_XL),
        _test("sf_xl_v1_small", "SF-XL small/test v1", 1000, 27191),
        _test("sf_xl_v2", "SF-XL test v2", 598, *_SF_XL),
        _test("sf_xl_night", "SF-XL test, night", 466, *_SF_XL),
        _test("sf_xl_occlusion", "SF-XL test, occlusion", 76, *_SF_XL),
        _test("sf_xs", "SF-XS test", 1000, 27191),
        _test("tokyo_xs", "Tokyo-XS test", 315, 12761),
    )
)


def find_protocol(name: str, path: str = "evaluation.protocol") -> Protocol:
    """Returns a protocol.

    Args:
        name: Its name.
        path: Where that stands, for messages.

    Raises:
        ConfigError: There is none of that name.
    """
    check(isinstance(name, str), path, "the name of a protocol", name)
    check_choice(path, name, list(PROTOCOLS))
    return PROTOCOLS[name]
