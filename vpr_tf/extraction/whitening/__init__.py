"""PCA and whitening of descriptors, folded into the encoder."""

from vpr_tf.extraction.whitening.folding import whiten_encoder

__all__ = ["whiten_encoder"]
