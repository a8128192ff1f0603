"""What lies ahead of a run: plan, outlook, estimate, resume."""
