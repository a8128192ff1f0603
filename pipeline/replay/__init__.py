"""Fusions run again from the ledger, step by step, and forks of them."""
