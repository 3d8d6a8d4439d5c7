import json

import numpy as np

from tests.golden import make
from tests.golden.stand_in import stand_in_images, stand_in_state_dict


def test_part_is_small():
    files = [*make.HERE.glob("*.npz"), *make.HERE.glob("*.json")]
    assert len(files) == 2
    assert sum(path.stat().st_size for path in files) < 60_000


def test_part_is_what_is_drawn_from_the_whole(shared_dir, official_values):
    drawn = make.draw(shared_dir)
    assert drawn.keys() == official_values.keys()
    for name, array in drawn.items():
        np.testing.assert_array_equal(official_values[name], array, err_msg=name)


def test_shapes_and_stand_ins_are_those_of_the_whole(reference, official_shapes):
    whole = {name: reference.SHAPES[name] for name in make.NETWORKS}
    assert json.dumps(official_shapes) == json.dumps(whole)  # the order counts too
    expected = reference.reference_state_dict("VGG16", 64)
    for name, array in stand_in_state_dict(official_shapes["VGG16_64"]).items():
        np.testing.assert_array_equal(array, expected[name])
    np.testing.assert_array_equal(
        stand_in_images(192, 320), reference.reference_images(192, 320)
    )
