"""The symbolic half of a fusion: state, symbolic loss, prompt optimizer and the graphs."""
