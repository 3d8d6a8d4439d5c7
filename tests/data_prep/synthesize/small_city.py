"""A city of a few dozen images."""

from data_prep.synthesize.presets import CityPreset, DistrictPreset, SynthesisConfig

SMALL_PRESET = CityPreset(
    name="small",
    train=DistrictPreset(blocks=1, position_spacing_m=90.0, visits=2),
    val=DistrictPreset(blocks=1, position_spacing_m=30.0, num_queries=3),
    test=DistrictPreset(blocks=1, position_spacing_m=24.0, num_queries=5),
    image_size=32,
    headings_per_position=4,
)


def small_config(seed=0):
    return SynthesisConfig(preset=SMALL_PRESET, seed=seed)
