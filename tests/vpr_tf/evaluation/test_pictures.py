import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from vpr_tf.config import EvaluationConfig
from vpr_tf.evaluation import draw_predictions, evaluate, prediction_picture
from vpr_tf.evaluation.pictures import picture_tile, queries_to_draw

RED, GREEN, BLUE = (230, 20, 20), (20, 230, 20), (20, 20, 230)
FRAME_GREEN, FRAME_RED, FRAME_GREY = (26, 150, 65), (215, 38, 45), (110, 116, 125)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    splits = {
        "test-a-database": [Shot(RED, 0), Shot(GREEN, 100, size=(32, 64))],
        "test-a-queries": [
            Shot(RED, 3),  # right
            Shot(GREEN, 3),  # wrong
            Shot(GREEN, 0, zone=0),  # unknown
            # Stored lying, blue above and red below, to be turned by 90 degrees.
            Shot(BLUE, 3, size=(20, 60), exif_orientation=6),
        ],
    }
    dataset = write_dataset(tmp_path_factory.mktemp("pictures") / "dataset", splits)
    config = EvaluationConfig(recall_values=[1, 3])
    evaluation_set = dataset.tests["a"]
    result = evaluate(
        MeanColourEncoder(), dataset, evaluation_set, config, progress=False
    )
    return dataset, evaluation_set, result


def draw(evaluated, folder, **arguments):
    paths = draw_predictions(*evaluated, folder, **{"max_queries": 9} | arguments)
    return paths, [np.asarray(Image.open(path)).astype(int) for path in paths]


def tile_colours(picture):
    """Colours along the upper edges of the frames, without what JPEG blurs."""
    row = picture[32]
    runs = np.flatnonzero(np.abs(np.diff(row, axis=0)).sum(axis=1) > 60)
    colours = [row[(a + b) // 2] for a, b in itertools.pairwise(runs)]
    return [tuple(c) for c in colours if c.sum() < 700]


def assert_close(colours, expected):
    assert len(colours) == len(expected)
    np.testing.assert_allclose(colours, expected, atol=12)


def test_frames_say_what_is_right(evaluated, tmp_path):
    paths, pictures = draw(evaluated, tmp_path)
    assert [path.name for path in paths] == [
        f"query_{number:06d}.jpg" for number in range(4)
    ]
    missing = FRAME_GREY  # three predictions are asked for, there are two images
    right = [FRAME_GREY, FRAME_GREEN, FRAME_RED, missing]
    assert_close(tile_colours(pictures[0]), right)
    assert_close(
        tile_colours(pictures[1]), [FRAME_GREY, FRAME_RED, FRAME_GREEN, missing]
    )
    assert_close(tile_colours(pictures[2]), [FRAME_GREY] * 4)


def test_images_are_upright_and_keep_their_shape(evaluated, tmp_path):
    _, pictures = draw(evaluated, tmp_path)
    blue = np.abs(pictures[3] - np.array(BLUE)).max(axis=2) < 45
    heights, widths = blue.sum(axis=0).max(), blue.sum(axis=1).max()
    # Three times as high as wide, cut to the narrowest format that is shown.
    assert heights == pytest.approx(200, abs=4)
    assert widths == pytest.approx(120, abs=4)
    green = np.abs(pictures[0] - np.array(GREEN)).max(axis=2) < 45
    assert green.sum(axis=1).max() == pytest.approx(400, abs=4)


def test_only_wrong_leaves_out_right_and_unknown_queries(evaluated, tmp_path):
    paths, _ = draw(evaluated, tmp_path, only_wrong=True)
    assert "query_000001.jpg" in [path.name for path in paths]
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {"query_000000.jpg", "query_000002.jpg"}


def test_former_pictures_are_removed(evaluated, tmp_path):
    draw(evaluated, tmp_path)
    paths, _ = draw(evaluated, tmp_path, max_queries=1)
    assert list(tmp_path.iterdir()) == paths


def test_queries_are_spread_evenly(evaluated):
    result = evaluated[2]
    assert queries_to_draw(result, 2, False).tolist() == [0, 2]
    assert queries_to_draw(result, 100, False).tolist() == [0, 1, 2, 3]
    assert queries_to_draw(result, 0, False).tolist() == []


def test_one_picture_holds_all_queries(evaluated):
    picture = prediction_picture(*evaluated, max_queries=3, num_predictions=2)
    single = prediction_picture(*evaluated, max_queries=1, num_predictions=2)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == 3 * single.shape[0]
    assert prediction_picture(*evaluated, max_queries=0).shape == (1, 1, 3)


@pytest.mark.parametrize(
    "name",
    [b"a\nb", b"\r\x1b[2J", b"no text \xff", "\u2028\u202e".encode(), b"n" * 4000, b""],
    ids=ascii,
)
def test_any_name_is_drawn(name, evaluated):
    dataset, evaluation_set, result = evaluated
    keys = np.full(len(result.query_keys), name, dtype=object)
    odd = dataclasses.replace(result, query_keys=keys)
    picture = prediction_picture(dataset, evaluation_set, odd, max_queries=1)
    assert picture.shape[2] == 3
    picture_tile(None, RED, name.decode(errors="replace"), name.decode("latin-1"))
