"""PCA and whitening of descriptors, folded into the encoder."""

from vpr_tf.extraction.whitening.folding import whiten_encoder
from vpr_tf.extraction.whitening.pca import fit_whitening

__all__ = ["fit_whitening", "whiten_encoder"]
