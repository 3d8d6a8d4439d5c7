"""Photos along a street, as tables, and a small encoder on a small dataset."""

from pathlib import Path

import numpy as np

from tests.vpr_tf.evaluation.tiny_dataset import (
    EAST_CM,
    NORTH_CM,
    MeanColourEncoder,
    write_dataset,
)
from vpr_tf.config import (
    DatasetConfig,
    EvaluationConfig,
    ExperimentConfig,
    LocalizationConfig,
    ReportConfig,
)
from vpr_tf.evaluation import EvaluatedModel, Evaluation
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.geo import Positions, utm_to_lat_lon
from vpr_tf.photos import PhotoTable


def photos_at(east_m, north_m=None, *, zone=10, heading_deg=None, timestamps=None):
    """Photos at metres from a fixed place; zone 0 is an unknown position."""
    east_m = np.asarray(east_m, np.float64)
    number = len(east_m)
    north_m = np.zeros(number) if north_m is None else np.asarray(north_m, np.float64)
    zones = np.broadcast_to(np.asarray(zone, np.int16), number).copy()
    east_cm = EAST_CM + np.rint(east_m * 100).astype(np.int64)
    north_cm = NORTH_CM + np.rint(north_m * 100).astype(np.int64)
    latitude, longitude = utm_to_lat_lon(
        east_cm / 100, north_cm / 100, np.where(zones == 0, 10, zones)
    )
    heading = np.zeros(number) if heading_deg is None else np.asarray(heading_deg)
    return PhotoTable(
        np.array([f"photo_{i}.jpg".encode() for i in range(number)], "S20"),
        Positions(east_cm, north_cm, zones, latitude, longitude),
        heading.astype(np.float32),
        np.array([b""] * number if timestamps is None else timestamps, "S13"),
    )


def config_of(**report) -> ExperimentConfig:
    """Settings that suit datasets of a few images."""
    return ExperimentConfig(
        name="town",
        dataset=DatasetConfig(path="unused"),
        evaluation=EvaluationConfig(batch_size=4, recall_values=[1, 2, 5]),
        localization=LocalizationConfig(num_predictions=3),
        report=ReportConfig(num_resamples=100, **report),
    )


def open_town(folder: Path, splits, set_names, config) -> Evaluation:
    """Opens a dataset of images of one colour; their mean colour is the descriptor."""
    dataset = write_dataset(folder / "dataset", splits)
    sets = {"val": dataset.val, **dataset.tests}
    extractor = FeatureExtractor(
        MeanColourEncoder(), batch_size=4, description="mean colour"
    )
    chosen = [sets[name] for name in set_names]
    model = EvaluatedModel(extractor)
    return Evaluation(dataset, chosen, model, config.evaluation, folder / "out")
