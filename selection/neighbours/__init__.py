"""Exact nearest neighbours of unit rows, in bounded memory, and what clusters need of the engine.

nearest    the k nearest rows, and pairs within a similarity
search     the k nearest rows of every row, from products that are only nearly right
ranking    the best candidates of every row so far
reach      pairs within a similarity, by a bound that costs less than the product
products   products of unit rows, as fast as the machine gives them, and how far they may be off
"""

from .nearest import Neighbours, Within, nearest_neighbours, neighbours_within
from .reach import Reach

__all__ = ["Neighbours", "Reach", "Within", "nearest_neighbours", "neighbours_within"]
