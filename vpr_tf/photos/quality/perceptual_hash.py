"""Perceptual hash of a photo, by the package ImageHash."""

from __future__ import annotations

from PIL import Image

_SMALL_PX = 64  # ImageHash resamples to 32


class MissingImageHashError(ImportError):
    """The package ImageHash is not installed."""


def require_imagehash() -> None:
    """Sees that photos can be hashed.

    Raises:
        MissingImageHashError: They cannot.
    """
    try:
        import imagehash  # noqa: F401
    except ImportError as error:
        raise MissingImageHashError(
            "Checks of photos need the package ImageHash, which is not installed. "
            'Install it by `pip install "vpr_tf[quality]"`.'
        ) from error


def perceptual_hash(image: Image.Image) -> int:
    """Returns 64 bits that differ little for nearly equal pictures.

    They are the signs of the 64 lowest frequencies of the cosine transform.

    Args:
        image: Grey levels, mode L, of any size.

    Reference:
        Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
        2010.
    """
    import imagehash

    small = image.resize((_SMALL_PX, _SMALL_PX), Image.Resampling.BOX)
    return int(str(imagehash.phash(small)), 16)
