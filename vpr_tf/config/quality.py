"""What counts as wrong with a photo: the flags, and their thresholds with reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

from vpr_tf.config.rules import check, check_choice, check_range

# What each flag says of a photo, in the order of their bits: new ones go to the end.
FLAG_MEANINGS = {
    "damaged": "a part of the data is lost: grey, smeared or repeated",
    "too_small": "too few pixels to show a place",
    "uniform": "nearly one colour all over, as of a covered lens",
    "underexposed": "darker than any night with street lamps",
    "overexposed": "mostly white",
    "blurred": "no sharp edges, by motion or focus",
    "occluded": "covered by something large and near",
    "duplicate": "the same pixels as another photo",
    "near_duplicate": "the picture of another photo, stored anew",
    "flare_or_dirt": "a spot at the same place of the image over a drive",
    "position_jump": "taken too far from the photo before for any car",
    "heading_missing": "no heading, among photos that have one",
    "heading_constant": "one heading for a whole drive, so none was measured",
    "unlike_neighbours": "like none of the photos near it: wrong place, or indoors",
}
QUALITY_FLAGS = tuple(FLAG_MEANINGS)
_SECTION = "build.quality"


@dataclass(frozen=True)
class QualityConfig:
    """When a photo is flagged, and which flags keep it out of datasets and indexes.

    Images are judged at the size at which encoders see them: the shorter side is
    reduced to 512 pixels. Grey levels are 0 to 255.
    """

    # Flags whose photos are left out, such as [damaged, duplicate]. Off by default:
    # no photo goes missing that nobody has looked at, published protocols count on
    # every photo of theirs, and looking takes 10 ms a photo.
    exclude: list[str] = field(default_factory=list)
    # Shorter side; thumbnails of cameras are 160 x 120, and an encoder of stride 32
    # has four positions in 128 pixels.
    min_side_px: int = 128
    # Of the image that is lost, as whole rows; less is lost by cropping for training.
    max_damaged_share: float = 0.05
    # Standard deviation of the grey levels of 16 x 16 cells from an even slope of
    # light: that of a covered lens is 1, of 1,200 good photos it is 4.6 and more.
    min_contrast: float = 3.0
    # Grey level that 1 % of the pixels reach: at night lamps and windows do, with 39
    # and more of 700 photos.
    min_highlight: float = 32.0
    # Of the pixels below the upper third, which sky fills, that are white.
    max_white_share: float = 0.4
    # Part of the height of a strong edge that it rises within two pixels: of 700
    # photos of the night 0.2 % have less, blurred by 2 pixels (sigma) all have.
    min_sharpness: float = 0.55
    # Of the width that one plain thing covers over 70 % of the height: more is left of
    # no place. Walls and skies of 1,200 good photos cover 38 % at most.
    max_occluded_share: float = 0.5
    # Bits of 64 in which the perceptual hashes of two photos differ: copies at another
    # size or quality differ in 0 to 4, photos of the same place at another time in 10.
    max_duplicate_bits: int = 4
    # Of the descriptors of such copies, where there are any; the nearest photos of one
    # place reach it in one of 25 pairs. With it, photos of the same place may differ in
    # twice as many bits.
    min_duplicate_similarity: float = 0.95
    # Of a camera between two photos, beyond the 25 m by which positions are wrong:
    # more than on motorways; a position that is 100 m off within a second is 270.
    max_speed_kmh: float = 150.0
    # Of the photos of a drive that have the same bright, dark or smooth spot; of drives
    # with a clean lens at most 0.64 have.
    min_recurring_share: float = 0.7
    # Of photos 100 m and more away, those that look more like a photo than the best of
    # its neighbours within 25 m. Of a right photo hardly any do; of a wrong one as many
    # as chance has it, a tenth with nine neighbours.
    max_better_far_share: float = 0.03

    def __post_init__(self) -> None:
        for flag in self.exclude:
            check_choice(f"{_SECTION}.exclude", flag, QUALITY_FLAGS)
        is_once = len(set(self.exclude)) == len(self.exclude)
        check(is_once, f"{_SECTION}.exclude", "flags, each once", self.exclude)
        check_range(self, _SECTION, 0, None, "min_side_px", "min_contrast")
        check_range(self, _SECTION, 0, None, "max_speed_kmh")
        check_range(self, _SECTION, 0, 255, "min_highlight")
        shares = ("max_damaged_share", "max_white_share", "max_occluded_share")
        check_range(self, _SECTION, 0, 1, *shares, "min_sharpness")
        check_range(self, _SECTION, 0, 1, "min_recurring_share", "max_better_far_share")
        check_range(self, _SECTION, -1, 1, "min_duplicate_similarity")
        check_range(self, _SECTION, 0, 15, "max_duplicate_bits")


DEFAULT_QUALITY = QualityConfig()
