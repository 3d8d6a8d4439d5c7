"""A small index folder of random descriptors."""

import os
import signal

import numpy as np

from vpr_tf.place_index import PlaceIndex

NUM_PHOTOS = 200
DIM = 8


def make_index(folder):
    descriptors = np.random.default_rng(0).normal(size=(NUM_PHOTOS, DIM))
    keys = [f"photo{row:03d}.jpg" for row in range(NUM_PHOTOS)]
    PlaceIndex.create(folder, descriptors, keys=keys)
    return folder


def be_killed(progress):
    """Ends its process as the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
