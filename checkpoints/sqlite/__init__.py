"""SQLite: a file each for the ledger, a run, and checkpoints. Nothing outside this room names SQL."""
