"""Miniature city: a seeded procedural city as a dataset with SF-XL names."""

from data_prep.synthesize.presets import SynthesisConfig, synthesis_config
from data_prep.synthesize.synthesize import synthesize
from data_prep.synthesize.writer import SynthesisError

__all__ = ["SynthesisConfig", "SynthesisError", "synthesis_config", "synthesize"]
