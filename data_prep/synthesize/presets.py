"""Sizes of the miniature city: one frozen dataclass per preset."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

_UNMAPPED_EVERY = 5


@dataclass(frozen=True)
class DistrictPreset:
    """One district: a square of blocks that no other split shares."""

    blocks: int
    position_spacing_m: float
    num_queries: int = 0
    visits: int = 1


@dataclass(frozen=True)
class CityPreset:
    """How much of the city is built and photographed.

    `train` has several visits per position, each with its own light, season, traffic
    and lens; `val` and `test` have one street-view visit and phone queries.
    """

    name: str
    train: DistrictPreset
    val: DistrictPreset
    test: DistrictPreset
    image_size: int = 128
    headings_per_position: int = 12
    # Share of train visits that look like phone photographs.
    phone_like_visits: float = 0.5
    phone_strength: float = 1.0  # 0 draws queries as street view sees the city
    jpeg_quality: int = 85

    def districts(self) -> dict[str, DistrictPreset]:
        """Returns the districts by split name."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def district_of(self, split: str) -> str:
        """Returns the split in whose district a split's photographs are taken."""
        return split

    def jitter_m(self, spacing_m: float) -> float:
        """Returns how far along the street a panorama may be from its stop."""
        return min(3.0, spacing_m / 3)

    def lane_drift_m(self, half_road_m: float) -> float:
        """Returns how far a street-view car may be from the middle of its lane."""
        return 0.5

    def first_headings(self) -> int:
        """Returns how many whole degrees a panorama's first heading is drawn from."""
        return 30

    def house_styles(self) -> int | None:
        """Returns how many styles the houses share; None: each has its own."""
        return None

    def query_light(self) -> str | None:
        """Returns which of `LIGHTS` all queries are taken in; None: any."""
        return None

    def drive_shape(self) -> DriveShape | None:
        """Returns how the drives are that queries are taken on; None: single photos."""
        return None

    def is_mapped(self, line_id: int) -> bool:
        """Returns whether the database has photographs of a street."""
        return True


@dataclass(frozen=True)
class NightCityPreset(CityPreset):
    """A city whose queries are taken by night; with street view alone, all else by day.

    So two domains meet: an encoder that is trained by day is asked by night.
    """

    def query_light(self) -> str | None:
        """Returns the light with lit windows."""
        return "dusk"


@dataclass(frozen=True)
class SharedCityPreset(CityPreset):
    """A city whose splits all photograph the streets of the train district.

    Localization by classes gives places that it was trained on, so its queries
    come from there. No photograph is in two splits; every panorama stands and looks
    elsewhere than those of other visits.
    """

    position_jitter_m: float = 3.0
    # Houses share this many styles (colours, windows, roofs), so streets look alike.
    num_house_styles: int = 400

    def __post_init__(self) -> None:
        blocks = [district.blocks for district in self.districts().values()]
        if len(set(blocks)) > 1:
            raise ValueError(
                "`blocks` must be the same in all splits that share streets. "
                f"Received: {blocks}."
            )
        if self.num_house_styles < 1:
            raise ValueError(
                "`num_house_styles` must be 1 or more. "
                f"Received: {self.num_house_styles}."
            )

    def district_of(self, split: str) -> str:
        """Returns "train" for every split."""
        return "train"

    def jitter_m(self, spacing_m: float) -> float:
        """Returns `position_jitter_m`, whatever the spacing."""
        return self.position_jitter_m

    def lane_drift_m(self, half_road_m: float) -> float:
        """Returns half the width of a lane, so all of the road is driven on."""
        return 0.35 * half_road_m

    def first_headings(self) -> int:
        """Returns the degrees between two headings, so no heading is preferred."""
        return 360 // self.headings_per_position

    def house_styles(self) -> int | None:
        """Returns `num_house_styles`."""
        return self.num_house_styles


@dataclass(frozen=True)
class DriveShape:
    """How long drives are and how fast."""

    num_photos: int = 30
    seconds_between: int = 2
    speed_m_per_s: tuple[float, float] = (4.0, 12.0)
    waits_at_crossings: float = 0.25  # share of the crossings
    longest_wait: int = 4  # photos
    looks_right_deg: tuple[float, float] = (50.0, 70.0)  # of where the car goes


@dataclass(frozen=True)
class DrivePreset(CityPreset):
    """A city whose queries are drives, photographed ahead and to the right.

    `num_queries` counts drives. They lead through all streets; of every fifth street
    the database has nothing.
    """

    shape: DriveShape = DriveShape()

    def drive_shape(self) -> DriveShape | None:
        """Returns `shape`."""
        return self.shape

    def is_mapped(self, line_id: int) -> bool:
        """Returns False for every fifth street."""
        return line_id % _UNMAPPED_EVERY != 0


@dataclass(frozen=True)
class SynthesisConfig:
    """All that decides the bytes of a miniature city."""

    preset: CityPreset
    seed: int = 0
    # Raised when a change of the drawing changes the bytes of the same seed.
    drawing_version: int = field(default=1)
    panoramas: bool = False  # train/ has whole panoramas instead of their crops

    def __post_init__(self) -> None:
        size = self.preset.image_size
        if not 16 <= size <= 1024:
            raise ValueError(
                "`image_size` must be between 16 and 1024 pixels. "
                f"Received: {size}. Choose e.g. 128."
            )
        if self.seed < 0:
            raise ValueError(f"`seed` must be 0 or more. Received: {self.seed}.")

    @property
    def settings(self) -> dict[str, Any]:
        """What a folder notes of its city; without panoramas as former versions did."""
        values = asdict(self)
        if not self.panoramas:
            del values["panoramas"]
        return values


PRESETS = {
    "quickstart": CityPreset(
        name="quickstart",
        train=DistrictPreset(blocks=6, position_spacing_m=20.0, visits=4),
        val=DistrictPreset(blocks=2, position_spacing_m=10.0, num_queries=150),
        test=DistrictPreset(blocks=2, position_spacing_m=8.0, num_queries=400),
    ),
    "tiny": CityPreset(
        name="tiny",
        train=DistrictPreset(blocks=1, position_spacing_m=30.0, visits=3),
        val=DistrictPreset(blocks=1, position_spacing_m=24.0, num_queries=16),
        test=DistrictPreset(blocks=1, position_spacing_m=24.0, num_queries=16),
        image_size=64,
    ),
    "night": NightCityPreset(
        name="night",
        train=DistrictPreset(blocks=5, position_spacing_m=20.0, visits=3),
        val=DistrictPreset(blocks=2, position_spacing_m=10.0, num_queries=200),
        test=DistrictPreset(blocks=2, position_spacing_m=8.0, num_queries=400),
        image_size=96,
        phone_like_visits=0.0,
    ),
    "dense": SharedCityPreset(
        name="dense",
        train=DistrictPreset(blocks=6, position_spacing_m=6.5, visits=4),
        val=DistrictPreset(blocks=6, position_spacing_m=30.0, num_queries=200),
        test=DistrictPreset(blocks=6, position_spacing_m=8.5, num_queries=500),
        image_size=96,
        headings_per_position=8,
        phone_strength=0.5,
    ),
    "dense_small": SharedCityPreset(
        name="dense_small",
        train=DistrictPreset(blocks=4, position_spacing_m=6.5, visits=2),
        val=DistrictPreset(blocks=4, position_spacing_m=30.0, num_queries=200),
        test=DistrictPreset(blocks=4, position_spacing_m=8.5, num_queries=500),
        image_size=64,
        headings_per_position=8,
        phone_strength=0.5,
    ),
    "drive": DrivePreset(
        name="drive",
        train=DistrictPreset(blocks=3, position_spacing_m=20.0, visits=2),
        val=DistrictPreset(blocks=4, position_spacing_m=15.0, num_queries=16),
        test=DistrictPreset(blocks=8, position_spacing_m=15.0, num_queries=16),
        image_size=96,
        headings_per_position=8,
        phone_strength=0.5,
    ),
}


def synthesis_config(
    preset: str,
    seed: int = 0,
    image_size: int | None = None,
    panoramas: bool = False,
) -> SynthesisConfig:
    """Returns the configuration of a preset by name.

    Args:
        preset: A key of `PRESETS`.
        seed: Another seed is another city.
        image_size: Side of the square images in pixels; None keeps the preset's.
        panoramas: Whether train/ has whole panoramas, as high as the other images.

    Raises:
        ValueError: The preset is unknown or a value is out of range.
    """
    if preset not in PRESETS:
        raise ValueError(
            f"`preset` must be one of {', '.join(PRESETS)}. Received: {preset!r}."
        )
    chosen = PRESETS[preset]
    if image_size is not None:
        chosen = replace(chosen, image_size=image_size)
    return SynthesisConfig(preset=chosen, seed=seed, panoramas=panoramas)
