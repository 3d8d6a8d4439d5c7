"""Runs with stored reports of made-up ranks."""

import json

import numpy as np

from vpr_tf.config import config_from_values, save_config

NUM_QUERIES = 40
GENERATOR = np.random.default_rng(0)
GOOD = GENERATOR.choice([1, 1, 1, 3, 0], NUM_QUERIES)
FAIR = GENERATOR.choice([1, 1, 2, 3, 0], NUM_QUERIES)


def write_run(folder, sets, seed=None, **identity):
    """A run whose reports are of ranks by (dataset, set); None is unknown."""
    for (dataset, name), ranks in sets.items():
        report = folder / "report" / dataset / name / "report"
        report.mkdir(parents=True)
        metrics = {
            "format_version": 1,
            "identity": {
                "set_name": name,
                "dataset_fingerprint": f"print-{dataset}",
                "encoder_fingerprint": "e",
                "encoder": "ResNet18",
                "preprocessing": "native",
                "search": "exact",
                "num_queries": len(ranks),
                "num_database": 9,
                **identity,
            },
            "bootstrap": {"num_resamples": 200, "level": 0.95, "seed": 0},
            "positive_dist_threshold_m": 25,
            "recalls": {"thresholds_m": [25.0], "recall_values": [1, 5, 10]},
        }
        (report / "metrics.json").write_text(json.dumps(metrics))
        lines = ["key,error_m,prediction_1_m,hit_rank_25m"]
        for number, rank in enumerate(ranks):
            error = "" if rank is None else 3 if rank == 1 else 90
            lines.append(f"q{number},{error},{error},{'' if rank is None else rank}")
        (report / "per_query.csv").write_text("\n".join(lines) + "\n")
    if seed is not None:
        save_config(config_of(folder.parent.name, seed), folder / "config.yaml")
    return folder


def config_of(name, seed):
    return config_from_values(
        {"name": name, "seed": seed, "dataset": {"path": "datasets/city"}}
    )
