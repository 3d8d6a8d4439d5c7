import numpy as np

from data_prep.build import build_dataset
from data_prep.inspection.report import count_split
from tests.data_prep.conftest import encode_image, image_name, write_images


def test_counts_of_a_split(tmp_path, make_config):
    write_images(tmp_path / "train", 5, timestamp="201606", heading_deg=95)
    fields = {"timestamp": "", "heading_deg": None}
    (tmp_path / "train" / image_name(9, **fields)).write_bytes(encode_image(9))
    (tmp_path / "train" / image_name(8, timestamp="2019", heading_deg=360)).write_bytes(
        encode_image(8, size=(40, 30))
    )
    counts = count_split(build_dataset(make_config()).split("train"))
    assert counts.num_images == 7
    assert counts.sizes == (16, 30, 24, 40)
    assert counts.images_per_year == {2016: 5, 0: 1, 2019: 1}
    assert counts.num_without_heading == 1
    assert np.flatnonzero(counts.images_per_heading).tolist() == [0, 9]
