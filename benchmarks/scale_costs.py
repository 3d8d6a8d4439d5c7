"""Machine-hours of a city or a country, from rates that were measured elsewhere.

    python -m benchmarks.scale_costs --photos 41200000
    python -m benchmarks.scale_costs --roads-km 140000 --price-per-hour 0.10

Prints a markdown table. Rates are photos a second of one machine of two cores, see
`RATES` for the benchmark that each is from; `--rate describe=1500` takes another, such
as that of a GPU. Work on photos is divided among machines by shards, so hours are those
of one machine and may be had from ten in a tenth of the time; what is not, is marked.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

_MILLION = 1_000_000
_PHOTO_BYTES = 24_300  # SF-XL: 1 TB for 41.2 million
_DESCRIPTOR_BYTES = 512 * 4
# Images of a training run as CosPlace states it: 50 epochs of 10,000 batches of 32.
_TRAINING_IMAGES = 50 * 10_000 * 32


class Rate(NamedTuple):
    """How fast a stage is.

    Attributes:
        per_second: Photos a second, two cores.
        source: Where that was measured.
        command: What a user runs.
        on_one_machine: Whether it cannot be divided among machines.
    """

    per_second: float
    source: str
    command: str
    on_one_machine: bool = False


RATES = {
    "check": Rate(196.0, "benchmarks.photo_quality", "`vpr photos check DIR`"),
    "build": Rate(260.0, "benchmarks.conversion", "`vpr data build --config FILE`"),
    "rows": Rate(
        60_000.0,
        "benchmarks.scale",
        "of `vpr data build`, once more of `vpr train`",
        True,
    ),
    "train": Rate(
        5.1,
        "benchmarks.training_step --backbone ResNet18 --image-size 512",
        "`vpr train --config FILE`",
        True,
    ),
    "describe": Rate(
        246.0,
        "benchmarks.engines: ResNet18-512, 224x224, OpenVINO, bfloat16",
        "`vpr index build ... --engine openvino evaluation.precision=mixed_bfloat16`",
    ),
    "index": Rate(
        _MILLION / 360,
        "benchmarks.retrieval --images 1000000 --engines compact",
        "of `vpr index build --kind scann --setting reorder=memory_mapped`",
        True,
    ),
}


def photos_of_roads(roads_km: float, metres_between: float, crops: int) -> int:
    """Returns the photos of all roads, driven once.

    Args:
        roads_km: Length of the roads.
        metres_between: From one panorama to the next.
        crops: Photos that a panorama is cut in.
    """
    return round(roads_km * 1000 / metres_between) * crops


def hours(stage: str, photos: int, rate: float) -> float:
    """Returns the hours of one machine for a stage.

    An index has more leaves the more photos it has, twice the root of their number, and
    each photo is compared with all of them: beyond a million the rate falls likewise.
    """
    count = _TRAINING_IMAGES if stage == "train" else photos
    if stage == "index":
        rate /= max(1.0, photos / _MILLION) ** 0.5
    return count / rate / 3600


def table(photos: int, rates: dict[str, float], price: float | None) -> list[str]:
    """Returns the lines of the table.

    Args:
        photos: How many.
        rates: Photos a second of each stage.
        price: Of an hour of the machine; None leaves the column to the reader.
    """
    lines = [
        "| stage | command | photos/s | machine-hours | cost |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    total = 0.0
    for stage, known in RATES.items():
        needed = hours(stage, photos, rates[stage])
        total += needed
        one = ", one machine" if known.on_one_machine else ""
        cost = f"{needed * price:,.0f}" if price is not None else ""
        digits = 0 if rates[stage] >= 10 else 1
        lines.append(
            f"| {stage}{one} | {known.command} | {rates[stage]:,.{digits}f} | "
            f"{needed:,.1f} | {cost} |"
        )
    cost = f"{total * price:,.0f}" if price is not None else ""
    lines.append(f"| all | | | {total:,.1f} | {cost} |")
    return lines


def storage(photos: int) -> str:
    """Says how large photos and descriptors are."""
    return (
        f"{photos:,} photos: {photos * _PHOTO_BYTES / 1e12:.1f} TB of shards, "
        f"{photos * _DESCRIPTOR_BYTES / 1e9:,.0f} GB of float32 descriptors of 512 "
        "values (half in float16)"
    )


def main(arguments: list[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--photos", type=int)
    what.add_argument("--roads-km", type=float)
    parser.add_argument("--metres-between", type=float, default=10.0)
    parser.add_argument("--crops", type=int, default=12)
    parser.add_argument("--price-per-hour", type=float)
    parser.add_argument(
        "--rate", action="append", default=[], metavar="STAGE=PHOTOS_PER_SECOND"
    )
    options = parser.parse_args(arguments)
    rates = {stage: rate.per_second for stage, rate in RATES.items()}
    for given in options.rate:
        stage, _, value = given.partition("=")
        if stage not in rates:
            parser.error(f"--rate names one of {', '.join(RATES)}. Received: {given}")
        try:
            rates[stage] = float(value)
        except ValueError:
            parser.error(f"--rate needs a number after `=`. Received: {given}")
        if not rates[stage] > 0:
            parser.error(f"A rate must be above 0. Received: {given}")
    photos = options.photos or photos_of_roads(
        options.roads_km, options.metres_between, options.crops
    )
    print(storage(photos))
    print("\n".join(table(photos, rates, options.price_per_hour)))


if __name__ == "__main__":
    main()
