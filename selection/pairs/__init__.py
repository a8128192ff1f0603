"""From low-quality rows to a plan of fusions.

clusters         one-hop clusters, HDBSCAN, a shuffle keyed by row ids
subclusters      k-means with silhouette inside a cluster
representatives  the rows that stand for a cluster
matching         which representatives of different clusters meet
plan             the plan of fusions
draw             how many of its pairs are fused, drawn at random
"""
