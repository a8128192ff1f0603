"""Stores in memory, as long as the process lives: for tests, and for whatever need not be kept."""
