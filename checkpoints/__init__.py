"""SQLite: the ledger of calls, the run store, LangGraph's saver. The ledger is the truth."""
