"""Optimizers by name, what may be wrapped around them, and their learning rate."""

from vpr_tf.training.optimizers.ada_belief import AdaBelief
from vpr_tf.training.optimizers.averaged_sgd import ASGD
from vpr_tf.training.optimizers.creation import create_optimizer
from vpr_tf.training.optimizers.learning_rate import LearningRate, schedule_factor
from vpr_tf.training.optimizers.novo_grad import NovoGrad
from vpr_tf.training.optimizers.rectified_adam import RectifiedAdam
from vpr_tf.training.optimizers.wrappers import averaged_weights
from vpr_tf.training.optimizers.yogi import Yogi

__all__ = [
    "ASGD",
    "AdaBelief",
    "LearningRate",
    "NovoGrad",
    "RectifiedAdam",
    "Yogi",
    "averaged_weights",
    "create_optimizer",
    "schedule_factor",
]
