"""SQLite: one file each for the ledger, a run, and the checkpoints of LangGraph; nothing outside names SQL."""
