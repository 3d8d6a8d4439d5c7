"""Group-wise training: one head and one optimizer for each group of classes."""
