"""What a run is, what its stages do, and how to look at it.

run       the run folder, settings, marks, progress, the real parts wired together
stages    one module a stage, with what belongs to it
ahead     what a stage would do and take: plan, outlook, estimate, resume
replay    fusions run again from the ledger, and forks of them
views     looking at a run: status, show, verify, prune, drawings, LangGraph Studio
"""
