"""What the matches of a query say of how far its answer can be trusted."""

from __future__ import annotations

import numpy as np

from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.clusters import Clusters


def match_features(candidates: Candidates, clusters: Clusters) -> np.ndarray:
    """Returns the features of each query, in the order of `MATCHES.names`.

    - `similarity`: cosine similarity of the best match of the cluster;
    - `gap`: by how much it exceeds that of the best match elsewhere, of the last match
      when all agree; negative when a match elsewhere is better;
    - `share`: part of the weight of all matches that the cluster holds, 0 to 1.

    Returns:
        Float64 `(num_queries, 3)`; NaN for queries without an answer.
    """
    votes, members = candidates.votes, clusters.members
    distances = candidates.distances
    inside = np.where(members, distances, np.inf).min(axis=1, initial=np.inf)
    elsewhere = votes & ~members
    outside = np.where(elsewhere, distances, np.inf).min(axis=1, initial=np.inf)
    last = np.where(votes, distances, 0.0).max(axis=1, initial=0.0)
    outside = np.where(elsewhere.any(axis=1), outside, last)
    of_members = np.where(members, clusters.weights, 0.0).sum(axis=1)
    of_all = clusters.weights.sum(axis=1)
    answered = members.any(axis=1)
    inside = np.where(answered, inside, np.nan)
    share = of_members / np.where(answered, of_all, np.nan)
    return np.stack([1 - inside / 2, (outside - inside) / 2, share], axis=1)
