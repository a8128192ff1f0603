"""The connectionist half of a fusion: every operator that asks the language model, one a file."""
