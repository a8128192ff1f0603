"""The neural half of a fusion, in the paper's words: every operator that asks a model, one a file."""
