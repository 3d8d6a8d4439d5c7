"""Tells images of a size that an encoder refuses from an engine that fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.errors import EncoderError, ImageSizeError

_ANY_SIZE = 224
_NO_MEMORY = re.compile(r"bad.?alloc|out.of.memory|(fail|not )\w* ?(to )?alloc", re.I)


def natural_size(preprocessing: Preprocessing) -> int:
    """Returns height and width, in pixels, of images that an encoder does describe."""
    is_native = preprocessing.resize == "native"
    return _ANY_SIZE if is_native else preprocessing.image_size


def telling_failures(
    compute: Forward, size: int, reason: Callable[[Exception], str] = str
) -> Forward:
    """Returns the same function, with errors that say what is wrong.

    Photos of a size that is refused are skipped, so that this has to be shown: one such
    image fails again, and one of a size that was described before, or else of the
    natural size, does not.

    Args:
        compute: An engine, which raises whatever it does.
        size: See `natural_size`.
        reason: What to say of an error.

    Returns:
        A function that raises `ImageSizeError`; `MemoryError`, or `EncoderError` where
        size is not the cause.
    """
    described = (size, size)

    def forward(images: Any) -> np.ndarray:
        nonlocal described
        images = np.asarray(images, np.float32)
        try:
            descriptors = compute(images)
        except MemoryError:
            raise
        except Exception as error:  # types of engines are private
            known = np.zeros((1, *described, 3), np.float32)
            text = reason(error).strip()[:300]
            if _NO_MEMORY.search(str(error)):
                failure: Exception = MemoryError(
                    f"There is not enough memory for {len(images)} images of "
                    f"{images.shape[1]}x{images.shape[2]} pixels: {text}"
                )
            elif _fails(compute, images[:1]) and not _fails(compute, known):
                failure = ImageSizeError.of(images, text)
            else:
                failure = EncoderError(
                    f"The engine cannot describe images any more: {text}. Try again, "
                    "or take another by `--engine`."
                )
            raise failure from error
        described = images.shape[1:3]
        return descriptors

    return forward


def _fails(compute: Forward, images: np.ndarray) -> bool:
    try:
        compute(images)
    except Exception:  # as above
        return True
    return False
