"""The stages of a run, one module each, with what belongs to it."""
