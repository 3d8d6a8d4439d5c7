"""A training run of the small encoder in a process of its own.

Prints a hash over all trained variables at the end, for tests that kill the process,
signal it, or start several as workers.
"""

import argparse
import hashlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--cpu-devices", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_intermixed_args()

    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * options.cpu_devices,
    )

    import train_keras
    import vpr_tf.training.encoders
    import vpr_tf.training.train
    from tests.small_training import build_small_encoder
    from vpr_tf.training.group_trainer import GroupTrainer

    trainers = []

    class RememberedTrainer(GroupTrainer):
        def __init__(self, *args):
            super().__init__(*args)
            trainers.append(self)

    vpr_tf.training.train.GroupTrainer = RememberedTrainer
    vpr_tf.training.train.build_encoder = build_small_encoder
    vpr_tf.training.encoders.build_encoder = build_small_encoder

    arguments = ["--config", options.config, *options.overrides]
    status = train_keras.main(arguments + ["--resume"] * options.resume)
    for trainer in trainers:
        print("variables", hash_of_variables(trainer), flush=True)
    return status


def hash_of_variables(trainer) -> str:
    trainer.average_statistics()
    digest = hashlib.sha256()
    optimizers = [trainer.encoder_optimizer, *trainer.head_optimizers]
    for owner in (trainer.encoder, *trainer.heads, *optimizers):
        for variable in owner.variables:
            digest.update(tf_value(variable).tobytes())
    return digest.hexdigest()


def tf_value(variable):
    import keras

    return keras.ops.convert_to_numpy(variable)


if __name__ == "__main__":
    sys.exit(main())
