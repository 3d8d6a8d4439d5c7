"""The commands of `python -m vpr_tf.place_index`, a module each."""
