"""Pictures of queries and what was predicted for them."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.record_images import read_image
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.printable import printable
from vpr_tf.tables import told_apart

PICTURES_FOLDER = "pictures"  # in the folder of a set
_RIGHT, _WRONG, NEUTRAL = (26, 150, 65), (215, 38, 45), (110, 116, 125)
_INK, _FAINT, _PAPER, _EMPTY = (28, 31, 36), (110, 116, 125), (255,) * 3, (236,) * 3
_HEIGHT = 200  # of an image
_MAX_ASPECT = 2.0  # width over height; wider images are cut at the sides
_MIN_ASPECT = 0.6
_FRAME = 6
_GAP = 10
_CAPTION = 26
_TITLE = 30
_LEAST_SHOWN = 9  # characters of a name


def draw_predictions(
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    result: EvaluationResult,
    output_dir: str | Path,
    *,
    max_queries: int,
    only_wrong: bool = False,
    num_predictions: int = 5,
) -> list[Path]:
    """Writes one JPEG a query: the query, then its predictions from the nearest.

    A green frame is a positive, a red one is not, grey means that the query's
    position is unknown. Below each prediction stand its rank, its distance in metres
    and the similarity of the descriptors.

    Args:
        dataset: The prepared dataset.
        evaluation_set: Names of the splits that `result` was measured on.
        result: The predictions.
        output_dir: Existing or new folder; pictures of a former call are removed.
        max_queries: Number of pictures, spread evenly over the queries.
        only_wrong: Whether to leave out queries whose first prediction is right.
        num_predictions: Predictions shown for each query.

    Returns:
        The files, `query_<record>.jpg`, in the order of the queries.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob("query_*.jpg"):
        former.unlink()
    paths = []
    for query in queries_to_draw(result, max_queries, only_wrong):
        path = folder / f"query_{query:06d}.jpg"
        row = _row(dataset, evaluation_set, result, int(query), num_predictions)
        row.save(path, quality=92)
        paths.append(path)
    return paths


def prediction_picture(
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    result: EvaluationResult,
    *,
    max_queries: int,
    only_wrong: bool = False,
    num_predictions: int = 5,
) -> np.ndarray:
    """Returns what `draw_predictions` writes as one picture, a query a row.

    Returns:
        RGB uint8 `(height, width, 3)`, e.g. for TensorBoard; one grey pixel when
        there is no query to show.
    """
    rows = [
        _row(dataset, evaluation_set, result, int(query), num_predictions)
        for query in queries_to_draw(result, max_queries, only_wrong)
    ]
    width = max((row.width for row in rows), default=1)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows) or 1), _PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return np.asarray(sheet)


def queries_to_draw(
    result: EvaluationResult, max_queries: int, only_wrong: bool
) -> np.ndarray:
    """Returns record ids of queries, evenly spread over those wanted."""
    wrong = (result.num_positives >= 0) & ~result.hits[:, 0]
    queries = np.flatnonzero(wrong) if only_wrong else np.arange(result.num_queries)
    if len(queries) <= max_queries:
        return queries
    return queries[np.arange(max_queries) * len(queries) // max_queries]


def _row(
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    result: EvaluationResult,
    query: int,
    num_predictions: int,
) -> Image.Image:
    database = dataset.split(evaluation_set.database)
    image = read_image(dataset.split(evaluation_set.queries), query)
    tiles = [picture_tile(image, NEUTRAL, "query", "")]
    for rank in range(min(num_predictions, result.predictions.shape[1])):
        record_id = int(result.predictions[query, rank])
        if record_id < 0:
            tiles.append(picture_tile(None, NEUTRAL, f"{rank + 1}   none", ""))
            continue
        colour = _RIGHT if result.hits[query, rank] else _WRONG
        if result.num_positives[query] < 0:
            colour = NEUTRAL
        metres = _metres(float(result.distances_m[query, rank]))
        similarity = 1 - float(result.descriptor_distances[query, rank]) / 2
        tiles.append(
            picture_tile(
                read_image(database, record_id),
                colour,
                f"{rank + 1}   {metres}",
                f"{similarity:.3f}",
            )
        )
    return join_tiles(tiles, _title(result, query))


def _title(result: EvaluationResult, query: int) -> tuple[str, str]:
    count = int(result.num_positives[query])
    nearby = f"{count} database images within {result.positive_dist_threshold_m:g} m"
    if count == 1:
        nearby = nearby.replace("images", "image")
    if count < 0:
        nearby = "position unknown"
    return printable(result.query_keys[query]), nearby


def _metres(distance_m: float) -> str:
    if np.isnan(distance_m):
        return "distance unknown"
    if distance_m < 100:
        return f"{distance_m:.1f} m"
    return (
        f"{distance_m:,.0f} m" if distance_m < 10_000 else f"{distance_m / 1e3:,.0f} km"
    )


def picture_tile(
    pixels: np.ndarray | Image.Image | None,
    colour: tuple[int, ...],
    left: str,
    right: str,
) -> Image.Image:
    """Draws a photo in a frame, with a text at either side below it.

    Args:
        pixels: RGB uint8 `(height, width, 3)`, or an image; None leaves it empty.
        colour: Of the frame and of the left text.
        left: For instance the rank.
        right: For instance the similarity.
    """
    if pixels is None:
        image = Image.new("RGB", (_HEIGHT, _HEIGHT), _EMPTY)
    else:
        if isinstance(pixels, np.ndarray):
            pixels = Image.fromarray(pixels)
        image = fit_to_height(pixels, _HEIGHT)
    width = image.width + 2 * _FRAME
    tile = Image.new("RGB", (width, _HEIGHT + 2 * _FRAME + _CAPTION), _PAPER)
    tile.paste(Image.new("RGB", (width, _HEIGHT + 2 * _FRAME), colour), (0, 0))
    tile.paste(image, (_FRAME, _FRAME))
    draw = ImageDraw.Draw(tile)
    middle = _HEIGHT + 2 * _FRAME + _CAPTION // 2 + 1
    left, right = printable(left), printable(right)
    draw.text((2, middle), left, colour, _font(16), anchor="lm")
    draw.text((width - 2, middle), right, _FAINT, _font(13), anchor="rm")
    return tile


def fit_to_height(image: Image.Image, height: int) -> Image.Image:
    """Scales an image to a height in pixels; cuts the sides of extreme formats."""
    aspect = image.width / image.height
    if aspect > _MAX_ASPECT:
        width = round(image.height * _MAX_ASPECT)
        left = (image.width - width) // 2
        image = image.crop((left, 0, left + width, image.height))
    elif aspect < _MIN_ASPECT:
        kept = round(image.width / _MIN_ASPECT)
        top = (image.height - kept) // 2
        image = image.crop((0, top, image.width, top + kept))
    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def join_tiles(tiles: Sequence[Image.Image], title: tuple[str, str]) -> Image.Image:
    """Places a query and what was found for it side by side, with texts above."""
    # The query stands apart from its predictions.
    width = sum(tile.width for tile in tiles) + _GAP * (len(tiles) + 2)
    row = Image.new("RGB", (width, tiles[0].height + _TITLE + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(row)
    # A text of several lines, as names may be, ends the drawing.
    key, nearby = map(printable, title)
    nearby_width = draw.textlength(nearby, _font(14))
    room = width - 4 * _GAP - nearby_width
    draw.text(
        (_GAP, _TITLE // 2 + 2), _shorten(draw, key, room), _INK, _font(14), anchor="lm"
    )
    draw.text((width - _GAP, _TITLE // 2 + 2), nearby, _FAINT, _font(14), anchor="rm")
    left = _GAP
    for number, tile in enumerate(tiles):
        row.paste(tile, (left, _TITLE))
        left += tile.width + _GAP * (2 if number == 0 else 1)
    return row


def _shorten(draw: ImageDraw.ImageDraw, text: str, room: float) -> str:
    def cut(longest: int) -> str:
        return told_apart([text], longest)[text]

    lengths = range(_LEAST_SHOWN, len(text) + 1)
    if not lengths:
        return text
    too_long = bisect.bisect_right(
        lengths, room, key=lambda longest: draw.textlength(cut(longest), _font(14))
    )
    return cut(lengths[max(too_long - 1, 0)])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
