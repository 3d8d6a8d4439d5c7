"""The commands of `python -m vpr_tf.retrieval`, a module each."""
