"""SF-XL and its parts, Tokyo-XS, SVOX and any folder in the common convention."""

from __future__ import annotations

from data_prep.datasets.common_convention import ConventionLayout
from data_prep.datasets.description import NO_ADDRESS, DatasetDescription
from data_prep.datasets.photo_list import Adapter

_TRAIN = ("train",)
_NAMES = "photos named @utm_east@utm_north@zone@band@latitude@longitude@...@.jpg"
_TEST_QUERIES = ("v1", "v2", "night", "occlusion")

_SF_XL = Adapter(
    DatasetDescription(
        name="sf_xl",
        title="San Francisco eXtra Large, with the test sets v1, v2, night, occlusion",
        layout=(
            f"processed/ or small/, or one of them itself; {_NAMES}\n"
            "train, val/{database,queries}, test/{database,queries_v1,queries_v2}\n"
            "and, later ones, test/{queries_night,queries_occlusion}"
        ),
        access=(
            f"from the authors; {NO_ADDRESS}\n"
            "whole about 1 TB, the training subset 360 GB, `small` 5 GB"
        ),
        counts={
            "train": None,
            "val-database": None,
            "val-queries": None,
            "test-database": None,
            "test-queries_v1": 1000,
            "test-queries_v2": 598,
            "test-queries_night": 466,
            "test-queries_occlusion": 76,
        },
        protocols=("25 m; queries without positives count as not found",),
        citation=(
            "Berton et al., Rethinking Visual Geo-localization for Large-Scale "
            "Applications, CVPR 2022, arXiv:2204.02287"
        ),
        notes=(
            "The size of the test database differs between users' copies (2,805,815 "
            "and 2,588,640 are reported; 27,191 in `small`): state it beside a recall.",
            "In small/train the heading is 0 for most photos; a constant heading is "
            "no heading.",
            "Panoramas (raw/train/panoramas, 3328x512) are not cut and not listed: "
            "the crops are.",
        ),
    ),
    ConventionLayout(
        {
            "train": _TRAIN,
            "val-database": ("val/database",),
            "val-queries": ("val/queries",),
            "test-database": ("test/database",),
            **{
                f"test-queries_{name}": (f"test/queries_{name}",)
                for name in _TEST_QUERIES
            },
        },
        roots=("", "processed", "small"),
    ).find,
)

_SF_XS = Adapter(
    DatasetDescription(
        name="sf_xs",
        title="SF-XS, the part of SF-XL that the PoliTo course uses",
        layout=(
            f"train, val/{{database,queries}}, test/{{database,queries}}; {_NAMES}\n"
            "older copies have test/queries_v1 instead of test/queries"
        ),
        access=f"from the course; {NO_ADDRESS}",
        counts={
            "train": None,
            "val-database": 8015,
            "val-queries": 7993,
            "test-database": 27191,
            "test-queries": 1000,
        },
        protocols=("25 m; queries without positives count as not found",),
        citation="see sf_xl",
    ),
    ConventionLayout(
        {
            "train": _TRAIN,
            "val-database": ("val/database",),
            "val-queries": ("val/queries",),
            "test-database": ("test/database",),
            "test-queries": ("test/queries", "test/queries_v1"),
        },
        roots=("", "sf_xs", "small"),
    ).find,
)

_TOKYO_XS = Adapter(
    DatasetDescription(
        name="tokyo_xs",
        title="Tokyo-XS, the part of Tokyo 24/7 that the PoliTo course uses",
        layout=f"test/{{database,queries}}; {_NAMES}",
        access=f"from the course; {NO_ADDRESS}",
        counts={"test-database": 12761, "test-queries": 315},
        protocols=("25 m; queries without positives count as not found",),
        citation="see tokyo247",
    ),
    ConventionLayout(
        {"test-database": ("test/database",), "test-queries": ("test/queries",)},
        roots=("", "tokyo_xs"),
    ).find,
)

_WEATHERS = ("night", "overcast", "rain", "snow", "sun")
_SVOX = Adapter(
    DatasetDescription(
        name="svox",
        title="SVOX, with queries by night, overcast, rain, snow and sun",
        layout=(
            f"images/test/{{gallery,queries,queries_night,...}}; {_NAMES}\n"
            "likewise images/{train,val}/{gallery,queries}"
        ),
        access=f"from the authors; {NO_ADDRESS}",
        counts={
            "train-database": None,
            "train-queries": None,
            "val-database": None,
            "val-queries": None,
            "test-database": None,
            "test-queries": None,
            **{f"test-queries_{name}": None for name in _WEATHERS},
        },
        protocols=("25 m; queries without positives count as not found",),
        citation=(
            "Berton et al., Adaptive-Attentive Geolocalization From Few Queries: A "
            "Hybrid Approach, WACV 2021"
        ),
    ),
    ConventionLayout(
        {
            **{
                f"{part}-{role}": tuple(f"{part}/{name}" for name in names)
                for part in ("train", "val", "test")
                for role, names in (
                    ("database", ("gallery", "database")),
                    ("queries", ("queries",)),
                )
            },
            **{f"test-queries_{name}": (f"test/queries_{name}",) for name in _WEATHERS},
        },
        roots=("", "images", "svox/images"),
    ).find,
)

_FOLDER = Adapter(
    DatasetDescription(
        name="folder",
        title="any folder in the common convention of the field",
        layout=(
            f"[images/]{{train,val,test}}/{{database,queries}}; {_NAMES};\n"
            "east and north alone will do; without a zone they are local metres"
        ),
        access="your own photos",
        licence="your own",
        counts={
            **{
                f"{part}-{role}": None
                for part in ("train", "val", "test")
                for role in ("database", "queries")
            },
        },
    ),
    ConventionLayout(
        {
            **{
                f"{part}-{role}": tuple(f"{part}/{name}" for name in names)
                for part in ("train", "val", "test")
                for role, names in (
                    ("database", ("database", "gallery")),
                    ("queries", ("queries",)),
                )
            },
        },
        roots=("", "images"),
    ).find,
)

ADAPTERS = (_SF_XL, _SF_XS, _TOKYO_XS, _SVOX, _FOLDER)
