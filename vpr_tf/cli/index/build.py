"""Makes an index folder of photos on disk, or of splits of a prepared dataset.

The folder holds all that searching needs, the encoder and the preparation of photos
included, and can be moved to another machine. An interrupted build continues when the
same command is run again.

Photos get their position from SF-XL file names, from EXIF data, or from a CSV table
with the columns path, latitude, longitude (or utm_east, utm_north, zone) and perhaps
heading_deg and timestamp.

Examples:
  vpr index build --index city.index \\
      --config configs/sf_xs_dark.yaml --model runs/sf_xs_dark/2026-11-21_15-31-43
  vpr index build --index city.index --photos holiday_photos \\
      --model runs/sf_xs_dark/2026-11-21_15-31-43 --dtype float16
  vpr index build --index city.index --photos photos.csv \\
      --model cosplace_resnet50_512 --config configs/sf_xs_dark.yaml --kind scann
  vpr index build --index city.index --photos holiday_photos \\
      --model cosplace_resnet50_512 --config configs/sf_xs_dark.yaml \\
      --classifier runs/heads/2026-11-21_15-31-43 classification.num_cells=100
  vpr index build --index city.index --photos holiday_photos \\
      --model runs/sf_xs_dark/2026-11-21_15-31-43 \\
      --keep-local-features --matcher-weights xfeat.weights.h5
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.index.build_sources import describe_source, scan_source
from vpr_tf.cli.index.local_features import (
    add_keep_local_features,
    find_local_features,
    matching_to_build,
)
from vpr_tf.cli.index.work_folder import (
    delete_work,
    is_of_request,
    locked_work,
    without_means,
    work_folder,
)
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.milvus_options import give_address_of_settings
from vpr_tf.cli.options import (
    add_config,
    add_index,
    add_json,
    add_model,
    add_ray,
    add_sets,
    config_of_model,
)
from vpr_tf.cli.output import (
    change_outcome,
    classifier_text,
    preparation_text,
    report_rejected,
    settings_text,
    size_text,
)
from vpr_tf.cli.photo_options import (
    add_exclude,
    add_max_rejected,
    add_without_positions,
)
from vpr_tf.cli.reading_options import add_reading
from vpr_tf.place_index import IndexManifest, PlaceIndex
from vpr_tf.place_index.agreement import check_credit
from vpr_tf.search import RetrievalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    add_model(parser, required=True)
    add_engine(parser)
    add_ray(parser, "check and describe photos")
    add_config(parser, required=False, what="dataset, and of how images are prepared")
    parser.add_argument(
        "--photos", metavar="DIR_OR_CSV", help="photos instead of a prepared dataset"
    )
    add_sets(parser, "val or a test set, whose database is taken; may be repeated")
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="SPLIT",
        help="any split of the dataset, such as train; may be repeated",
    )
    parser.add_argument(
        "--kind",
        choices=("auto", "exact", "scann", "milvus"),
        default="auto",
        help="search structure; default: auto, by the number of photos",
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the search structure, such as num_leaves=500; may be repeated",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="of the stored descriptors; float16 needs half the space",
    )
    parser.add_argument(
        "--classifier",
        metavar="RUN",
        help="run or SavedModel whose heads choose the cells that a query searches; "
        "how many: classification.num_cells=K",
    )
    parser.add_argument(
        "--attribution",
        metavar="TEXT",
        help="whom the photos are from; answers of a service say it of each photo",
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="under which the photos may be used; likewise"
    )
    add_reading(parser)
    add_exclude(parser)
    add_without_positions(parser)
    add_max_rejected(parser)
    add_keep_local_features(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Builds an index."""
    check_credit("attribution", options.attribution)
    check_credit("licence", options.licence)
    output, request = Path(options.index), _request_of(options)
    work = work_folder(output, "building")
    if output.exists():
        if not is_of_request(work, request):
            raise RetrievalError(
                f"{output} exists already. Add to that index, delete it, or choose "
                "another name."
            )
        delete_work(work)  # the index was complete when the build was killed
        index = PlaceIndex.open(output)
    else:
        settings = parse_settings(options.setting)
        give_address_of_settings(options, settings)
        with locked_work(work, request):
            index = _build(options, settings, work)
    with index:
        return change_outcome(index.manifest, _summary(output, index.manifest))


def parse_settings(texts: list[str]) -> dict[str, Any] | None:
    """Reads `name=value` options, whose values are JSON or words.

    Raises:
        ValueError: Another form.
    """
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ValueError(f"--setting must look like name=value. Received: {text!r}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings or None


def _request_of(options: argparse.Namespace) -> dict[str, Any]:
    request = {**vars(options), "cwd": str(Path.cwd())}
    return without_means(request)


def _build(
    options: argparse.Namespace,
    settings: dict[str, Any] | None,
    work: Path,
) -> PlaceIndex:
    source = scan_source(
        options, work / "measures"
    )  # an error here shows before TensorFlow is loaded
    config = config_of_model(options)
    from vpr_tf.extraction import load_extractor
    from vpr_tf.place_index.index_encoder import identity_of

    extractor = load_extractor(config, options.model)
    print(f"Encoder: {extractor.description}", flush=True)
    rerank = config.localization.rerank
    matching = matching_to_build(options, rerank, lambda: extractor)
    classifier, heads = None, work / "classifier"
    if options.classifier is not None:
        from vpr_tf.place_index.index_classifier import keep_classifier

        classifier = keep_classifier(
            config, options.classifier, identity_of(extractor), heads
        )
        print(f"Classifier: {classifier_text(classifier)}", flush=True)
    described = describe_source(source, extractor, options, work / "descriptors")
    if described.files is not None:
        report_rejected(described.files, rejected_table(Path(options.index)))
    found = source if described.files is None else described.files
    local = find_local_features(matching, found, work / "key_points")
    print("Building the index", flush=True)
    return PlaceIndex.create(
        options.index,
        described.descriptors,
        photos=described.photos,
        encoder=extractor,
        kind=options.kind,
        settings=settings,
        dtype=options.dtype,
        classifier=classifier,
        classifier_source=heads,
        attribution=options.attribution,
        licence=options.licence,
        local_features=local,
    )


def rejected_table(index: Path) -> Path:
    """Returns where photos that cannot be used are listed: beside the index."""
    index = index.resolve()
    return index.with_name(f"{index.name}.rejected.csv")


def _summary(index: Path, manifest: IndexManifest) -> str:
    images = (
        f"; images: {preparation_text(manifest.encoder)}" if manifest.encoder else ""
    )
    return (
        f"Index: {index}, {size_text(manifest.num_bytes)}\n"
        f"Search: {settings_text(manifest)}\n"
        f"Descriptors: {manifest.descriptor_dim} values, {manifest.dtype}{images}"
    )
