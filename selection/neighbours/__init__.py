"""Exact nearest neighbours of unit rows, in bounded memory, and what clusters need of the engine.

nearest    the k nearest rows: the room's one function for the rest of ENTP
search     the k nearest rows of every row, from products that are only nearly right
ranking    the best candidates of every row so far
reach      pairs within a similarity, by a bound that costs less than the product
products   products of unit rows, as fast as the machine gives them, and how far they may be off
"""

from .nearest import Neighbours, nearest_neighbours
from .reach import Reach

__all__ = ["Neighbours", "Reach", "nearest_neighbours"]
