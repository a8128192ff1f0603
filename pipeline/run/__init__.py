"""The ground that stages stand on: the run folder, settings, marks, progress, the real parts."""
