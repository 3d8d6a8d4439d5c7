import numpy as np

from vpr_tf.training.run_writers import image_grid


def test_image_grid_places_images_row_by_row():
    images = np.zeros((5, 2, 3, 3), np.float32)
    images += np.arange(5)[:, None, None, None] / 255
    grid = image_grid(images, columns=3)
    assert grid.shape == (4, 9, 3)
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid[0, ::3, 0], [0, 1, 2])
    np.testing.assert_array_equal(grid[2, ::3, 0], [3, 4, 255])
