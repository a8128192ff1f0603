"""Numerics of selection: arrays in, arrays out, randomness through a generator or a seeded order.

scale            ratings 1-10 to scores 0-5
neighbours       exact nearest neighbours and pairs within a similarity, in bounded memory
search           the k nearest rows of every row, from products that are only nearly right
ranking          the best candidates of every row so far
reach            pairs within a similarity, by a bound that costs less than the product
products         products of unit rows, as fast as the machine gives them, and how far they may be off
patterns         own score and neighbours' scores, counted once; near-duplicates set aside
latent_class     the model of true score, own rating and neighbours' ratings, and its fit
moments          the same model by moments, as the paper fits it
squarem          expectation maximisation that leaps
features         a second opinion from a row's own features
audit            second ratings of some rows, and the model that they allow
choice           how far to believe neighbours and features
regions          standard errors
trust            when not to believe any of it
transition       the transition matrix T by any method
correction       corrected scores
clusters         one-hop clusters, HDBSCAN, a shuffle keyed by row ids
subclusters      k-means with silhouette inside a cluster
representatives  the rows that stand for a cluster
pairs            the plan of fusions
content          mathematics, code and tables by rule
agreement        how far raters agree
"""

from .agreement import Agreement, agreement, partial_spearman, quadratic_kappa, spearman
from .audit import Audit
from .clusters import Clusters, hdbscan_clusters, one_hop_clusters, seeded_order
from .content import ContentClass, content_class
from .correction import CorrectedScores, TransitionEstimate, correct_scores
from .features import row_features, text_lengths
from .neighbours import Neighbours, Within, nearest_neighbours, neighbours_within
from .pairs import Operand, Plan, PlannedPair, make_pairs
from .representatives import choose_representatives
from .scale import NUM_SCORES, scale_ratings
from .subclusters import split_cluster
from .transition import Method, estimate_transition
from .trust import Flag

__all__ = [
    "NUM_SCORES",
    "Agreement",
    "Audit",
    "Clusters",
    "ContentClass",
    "CorrectedScores",
    "Flag",
    "Method",
    "Neighbours",
    "Operand",
    "Plan",
    "PlannedPair",
    "TransitionEstimate",
    "Within",
    "agreement",
    "choose_representatives",
    "content_class",
    "correct_scores",
    "estimate_transition",
    "hdbscan_clusters",
    "make_pairs",
    "nearest_neighbours",
    "neighbours_within",
    "one_hop_clusters",
    "partial_spearman",
    "quadratic_kappa",
    "row_features",
    "scale_ratings",
    "seeded_order",
    "spearman",
    "split_cluster",
    "text_lengths",
]
