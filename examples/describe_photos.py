"""Photos to descriptors by any encoder.

python examples/describe_photos.py MODEL PHOTO...
MODEL: name of a released encoder, run folder, .keras file or SavedModel
"""

import sys
from collections.abc import Sequence

import numpy as np

import vpr_tf as vpr


def main(model: str, photos: Sequence[str]) -> np.ndarray:
    """Prints how similar the first photo is to the others."""
    encoder = vpr.load_encoder(model)
    descriptors = encoder.extract(photos)  # also bytes, PIL images and arrays
    print(f"{encoder.description}: descriptors of shape {descriptors.shape}")
    for photo, similarity in zip(photos, descriptors @ descriptors[0], strict=True):
        print(f"{similarity:6.3f}  {photo}")
    return descriptors


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
