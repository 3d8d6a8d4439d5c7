"""Losses over the descriptors of a batch, as pure functions in float32."""

from vpr_tf.losses.distillation import distillation
from vpr_tf.losses.miners import multi_similarity_pairs
from vpr_tf.losses.pair_losses import (
    circle,
    contrastive,
    contrastive_of_distances,
    fast_ap,
    generalized_lifted_structure,
    lifted_structure,
    multi_similarity,
    n_pairs,
    n_pairs_of_similarities,
    nt_xent,
    sup_con,
)
from vpr_tf.losses.pairs import Pairs, pairs_of, pairs_of_views
from vpr_tf.losses.proxy_anchor import proxy_anchor
from vpr_tf.losses.triplet import triplet, triplet_hard, triplet_semi_hard
from vpr_tf.losses.two_views import barlow_twins, simclr, vicreg

__all__ = [
    "Pairs",
    "barlow_twins",
    "circle",
    "contrastive",
    "contrastive_of_distances",
    "distillation",
    "fast_ap",
    "generalized_lifted_structure",
    "lifted_structure",
    "multi_similarity",
    "multi_similarity_pairs",
    "n_pairs",
    "n_pairs_of_similarities",
    "nt_xent",
    "pairs_of",
    "pairs_of_views",
    "proxy_anchor",
    "simclr",
    "sup_con",
    "triplet",
    "triplet_hard",
    "triplet_semi_hard",
    "vicreg",
]
