"""MvMF: a mixture of von Mises-Fisher densities over a city."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from vpr_tf.layers._construction import check_class_centres
from vpr_tf.layers.training_head import LinearHead

# Components cannot shrink onto single images, where the density has no bound.
_SMALLEST_DEVIATION_M = 1.0


@keras.saving.register_keras_serializable(package="vpr_tf")
class MixtureOfVonMisesFisherHead(LinearHead):
    """Negative log density of the position; a linear layer weighs the components.

    On a sphere of radius R, a von Mises-Fisher component with mean direction mu and
    concentration kappa has the density, in 1 / m^2,

        kappa / (4 pi R^2 sinh(kappa)) * exp(kappa mu.y)
            = exp(-d^2 / (2 s^2)) / (2 pi s^2 (1 - exp(-2 kappa)))

    with the standard deviation s = R / sqrt(kappa) in metres and the chord d =
    R |mu - y|, because mu.y = 1 - |mu - y|^2 / 2. In a city kappa is 1e9 or more:
    mu.y would round to 1 in float32 and exp(-2 kappa) is 0. So the head computes with
    d, as the distance in the plane, and with s. The radius does not occur.

    The variance of a component is `1 m^2 + exp(log_variance)`.

    Args:
        class_centres: First means of the components, metres east and north of the
            middle of the map, `(num_components, 2)`.
        start_deviation_m: First standard deviation of all components, above 1 m, for
            example the size of the cells.
        **kwargs: Keyword arguments of `TrainingHead`.

    Attributes:
        mean_offsets: How far the means are from where they started, in start
            deviations: Adam's steps are of the size of the learning rate.
        log_variances: Shape `(num_components,)`.

    Output shape:
        `(batch, num_components)`, float32: the softmax of these logits is the mixture's
        weights.

    Reference:
        Izbicki et al., "Exploiting the Earth's Spherical Geometry to Geolocate
        Images", ECML PKDD 2019.
    """

    target: ClassVar[str] = "place"

    def __init__(
        self, class_centres: npt.ArrayLike, start_deviation_m: float, **kwargs: Any
    ) -> None:
        centres = check_class_centres(class_centres)
        if not start_deviation_m > _SMALLEST_DEVIATION_M:
            raise ValueError(
                f"`start_deviation_m` must be above {_SMALLEST_DEVIATION_M} m. "
                f"Received: start_deviation_m={start_deviation_m}"
            )
        super().__init__(len(centres), **kwargs)
        self.start_deviation_m = float(start_deviation_m)
        self._start_means = centres

    def build_head(self, descriptor_dim: int) -> None:
        super().build_head(descriptor_dim)
        excess = self.start_deviation_m**2 - _SMALLEST_DEVIATION_M**2
        self.mean_offsets = self.add_float32_weight(
            "mean_offsets", (self.num_outputs, 2), "zeros"
        )
        self.log_variances = self.add_float32_weight(
            "log_variances",
            (self.num_outputs,),
            keras.initializers.Constant(math.log(excess)),
        )

    def component_means(self) -> Any:
        """Returns the means in metres, a tensor `(num_components, 2)`."""
        start = self._start_means.astype("float32")
        return start + self.start_deviation_m * self.mean_offsets

    def component_variances(self) -> Any:
        """Returns the variances in m^2, a tensor `(num_components,)`."""
        return _SMALLEST_DEVIATION_M**2 + ops.exp(self.log_variances)

    def log_density(self, descriptors: Any, places: Any) -> Any:
        """Returns the logarithm of the density at places, in 1 / m^2, `(batch,)`.

        Args:
            descriptors: Shape `(batch, descriptor_dim)`.
            places: Metres east and north in the first two columns of `(batch, 4)`.
        """
        log_weights = ops.log_softmax(self(descriptors), axis=1)
        positions, means = ops.cast(places, "float32"), self.component_means()
        squares = ops.square(positions[:, :1] - means[:, 0])
        squares += ops.square(positions[:, 1:2] - means[:, 1])
        variances = self.component_variances()
        log_densities = -squares / (2.0 * variances) - ops.log(2 * math.pi * variances)
        return ops.logsumexp(log_weights + log_densities, axis=1)

    def loss(self, descriptors, places):
        return -self.log_density(descriptors, places)

    def arrays(self) -> dict[str, np.ndarray]:
        """Adds `component_means_m` `(num_components, 2)` and
        `component_deviations_m` `(num_components,)`.
        """
        return super().arrays() | {
            "component_means_m": ops.convert_to_numpy(self.component_means()),
            "component_deviations_m": np.sqrt(
                ops.convert_to_numpy(self.component_variances())
            ),
        }

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "class_centres": self._start_means.tolist(),
                "start_deviation_m": self.start_deviation_m,
            }
        )
        return config
