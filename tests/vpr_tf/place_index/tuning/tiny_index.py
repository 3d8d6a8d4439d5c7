"""A small index folder of random descriptors."""

import os
import signal

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.geo import Positions
from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index import EncoderIdentity, create_place_index

NUM_PHOTOS = 200
DIM = 8


def make_index(folder, **options):
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(NUM_PHOTOS, DIM)).astype(np.float32)
    photos = PhotoTable(
        np.array([b"photo%03d.jpg" % row for row in range(NUM_PHOTOS)]),
        Positions(
            np.full(NUM_PHOTOS, 55_000_000),
            np.full(NUM_PHOTOS, 418_000_000),
            np.full(NUM_PHOTOS, 10, np.int8),
            np.full(NUM_PHOTOS, 37.7),
            np.full(NUM_PHOTOS, -122.4),
        ),
        np.full(NUM_PHOTOS, -1, np.float32),
        np.full(NUM_PHOTOS, b"", "S15"),
    )
    encoder = EncoderIdentity("abc", "random", DIM, Preprocessing())
    create_place_index(folder, descriptors, photos, encoder, **options)
    return folder


def be_killed(progress):
    """Ends its process as the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
