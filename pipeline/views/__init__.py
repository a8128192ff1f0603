"""Looking at a run and looking after it."""
