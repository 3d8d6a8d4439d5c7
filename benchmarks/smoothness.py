"""How smoothly descriptors change along a street: encoders side by side.

    python -m benchmarks.smoothness --config configs/dense/cosplace.yaml
        --model runs/dense_cosplace/TIME runs/dense_netvlad/TIME
        [--set test] [--photos 27] [--output DIR] [key=value ...]

Takes the database photos of a straight stretch of a street that look about the same
way, in their order, and draws the cosines of all pairs for each encoder; below, how the
cosine of pairs anywhere falls with distance and with turning. Prints Spearman's rank
correlations: -1 is smooth. A model is a run folder, a .keras file or the name of a
released encoder; `none` is the config's encoder before training.

Writes smoothness.png and smoothness.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.guarded import guarded
from benchmarks.overrides import parse_with_overrides
from vpr_tf.config import load_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, describes photos, measures and draws."""
    options = _parse(arguments)
    return guarded("smoothness", lambda: _measure_and_write(options))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, help="dataset and preparation")
    parser.add_argument("--model", nargs="+", required=True, metavar="MODEL")
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--photos", type=int, default=27, help="of the stretch")
    parser.add_argument("--pairs", type=int, default=20_000, help="anywhere")
    parser.add_argument("--output", type=Path, help="default: RUNS_DIR/smoothness")
    options = parse_with_overrides(parser, arguments)
    if options.photos < 3:
        parser.error(f"--photos must be 3 or more. Received: {options.photos}")
    return options


def _measure_and_write(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.overrides)
    # TensorFlow is not needed to tell a wrong config.
    from benchmarks.smoothness_study import describe, straight_stretch, write_study
    from vpr_tf.data.prepared_dataset import PreparedDataset

    dataset = PreparedDataset(config.dataset.path)
    [evaluation_set] = dataset.evaluation_sets([options.set])
    split = dataset.split(evaluation_set.database)
    stretch = straight_stretch(split.photo_table(), options.photos)
    described = []
    for model in options.model:
        print(f"Describing {len(split):,} photos by {model}", file=sys.stderr)
        described.append(describe(config, None if model == "none" else model, split))
    folder = options.output or Path(config.runs_dir) / "smoothness"
    text = write_study(
        folder, described, split.photo_table(), stretch, options.pairs, config
    )
    print(f"\n{text}\n\nFigure and numbers: {folder}")


if __name__ == "__main__":
    sys.exit(main())
