"""City-scale visual place recognition with TensorFlow and Keras."""
