"""Numerics of selection: arrays in, arrays out, randomness through a generator or a seeded order.

neighbours   exact nearest neighbours, in bounded memory
raters       how a rater errs: the transition matrix T, corrected scores, agreement
pairs        clusters, representatives, the plan of fusions
arrays       types of arrays and checks of them
threads      one thread where more would be slower
"""

from .neighbours import Neighbours, nearest_neighbours
from .pairs.clusters import Clusters, hdbscan_clusters, one_hop_clusters, seeded_order
from .pairs.draw import draw_pairs, most_rows
from .pairs.plan import Operand, Plan, PlannedPair, make_pairs
from .pairs.representatives import choose_representatives
from .raters.agreement import Agreement, agreement, partial_spearman, quadratic_kappa, spearman
from .raters.audit import Audit
from .raters.correction import CorrectedScores, TransitionEstimate, correct_scores
from .raters.features import row_features
from .raters.scale import NUM_SCORES, scale_ratings
from .raters.transition import estimate_transition
from .raters.trust import Flag

__all__ = [
    "NUM_SCORES",
    "Agreement",
    "Audit",
    "Clusters",
    "CorrectedScores",
    "Flag",
    "Neighbours",
    "Operand",
    "Plan",
    "PlannedPair",
    "TransitionEstimate",
    "agreement",
    "choose_representatives",
    "correct_scores",
    "draw_pairs",
    "estimate_transition",
    "hdbscan_clusters",
    "make_pairs",
    "most_rows",
    "nearest_neighbours",
    "one_hop_clusters",
    "partial_spearman",
    "quadratic_kappa",
    "row_features",
    "scale_ratings",
    "seeded_order",
    "spearman",
]
