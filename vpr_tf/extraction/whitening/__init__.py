"""PCA and whitening of descriptors, folded into the encoder."""
