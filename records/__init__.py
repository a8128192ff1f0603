"""The types that the rooms share. Plain values: no files, no network, no configuration."""
