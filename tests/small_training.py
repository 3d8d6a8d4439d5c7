"""A prepared dataset of tiny images and an encoder that trains on it in seconds."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from data_prep.build import build_dataset
from vpr_tf.config import ExperimentConfig, load_config
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.geo import utm_to_lat_lon
from vpr_tf.layers import GeneralizedMeanPooling2D, L2Normalization

NUM_CELLS = 8
CONFIG = """
name: small
seed: 3
runs_dir: {folder}/runs
savedmodels_dir: {folder}/savedmodels
dataset: {{path: {dataset}}}
build:
  source: {folder}/images
  train: train
  val: {{database: val/database, queries: val/queries}}
  tests:
    test: {{database: test/database, queries: test/queries}}
  partition: {{cell_stride: 2, heading_stride: 1, min_images_per_class: 2}}
  workers: 1
encoder:  # its stem alone: tracing the whole network takes half a minute
  backbone: EfficientNetLite0
  last_stage: 0
  train_from_stage: 0
  descriptor_dim: 8
  weights: none
train:
  groups_num: 2
  epochs: 2
  iterations_per_epoch: 5
  batch_size: 4
  image_size: 32
  checkpoint_every_steps: 2
  encoder_optimizer: {{learning_rate: 0.01}}
  export: never
evaluation: {{resize: square, image_size: 32, index: exact, batch_size: 8}}
"""


def write_config(folder: Path, dataset: Path) -> Path:
    """Writes the experiment's config, whose runs go to `folder`."""
    path = folder / "small.yaml"
    path.write_text(CONFIG.format(folder=folder, dataset=dataset))
    return path


def build_small_dataset(folder: Path) -> PreparedDataset:
    """Draws and builds two groups of four classes, a val and a test set."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (NUM_CELLS, 4, 4, 3))
    for subfolder, images_per_cell in (
        ("train", 5),
        ("val/database", 2),
        ("val/queries", 1),
        ("test/database", 2),
        ("test/queries", 1),
    ):
        (folder / "images" / subfolder).mkdir(parents=True)
        for cell, picture in enumerate(pictures):
            for number in range(images_per_cell):
                pixels = np.kron(picture, np.ones((10, 12, 1)))
                pixels = pixels + rng.normal(0, 25, pixels.shape)
                image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
                image.save(folder / "images" / subfolder / _name(cell, number))
    config = load_config(write_config(folder, folder / "dataset"))
    return build_dataset(config)


def _name(cell: int, number: int) -> str:
    # Far enough apart for only one cell's images to be positives.
    east = 550_005 + 30 * cell + 0.1 * number
    latitude, longitude = utm_to_lat_lon(east, 4178005.0, 10)
    place = f"@{east:.2f}@4178005.00@10@S@{latitude:.5f}@{longitude:.5f}"
    return f"{place}@pano{number}@@90@@@@201606@@.jpg"


def build_small_encoder(config: object = None) -> keras.Model:
    """Stands in for `vpr_tf.models.build_encoder`; honours `bn_mode` alone."""
    images = keras.Input((None, None, 3), name="images")
    x = keras.layers.Conv2D(8, 3, strides=4, use_bias=False)(images)
    frozen = getattr(config, "bn_mode", "torch") == "keras"
    x = keras.layers.BatchNormalization(momentum=0.8, trainable=not frozen)(x)
    x = keras.layers.Activation("relu")(x)
    x = GeneralizedMeanPooling2D(dtype="float32", name="aggregation")(x)
    x = keras.layers.Dense(8, dtype="float32")(x)
    model = keras.Model(images, L2Normalization(dtype="float32")(x))
    model.descriptor_dim = 8
    return model


def small_config(folder: Path, dataset: Path, *overrides: str) -> ExperimentConfig:
    """Returns the experiment with overrides, its runs in `folder`."""
    return load_config(write_config(folder, dataset), overrides)
