"""The stages in order, the run folder, the settings, and the wiring of the real parts."""
