"""Trains an encoder: python train_keras.py --config FILE [key=value ...]."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.config import ExperimentConfig, load_config
from vpr_tf.training.errors import TrainingError, TrainingInterruptedError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, trains, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="a file of configs/")
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="RUN",
        help="go on with a run folder; without a value, with the newest of that name",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    resume, overrides = options.resume, options.overrides
    if isinstance(resume, str) and "=" in resume and not Path(resume).is_dir():
        resume, overrides = True, [resume, *overrides]
    try:
        _train(load_config(options.config, overrides), resume)
    except TrainingInterruptedError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_status
    except (TrainingError, ValueError, OSError) as error:
        print(f"train_keras.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted before the first step.", file=sys.stderr)
        return 130
    return 0


def _train(config: ExperimentConfig, resume: bool | str) -> None:
    from vpr_tf.training.process import environment_line, quiet_libraries
    from vpr_tf.training.train import train

    quiet_libraries()
    print(environment_line(), flush=True)
    train(config, resume=resume)


if __name__ == "__main__":
    sys.exit(main())
