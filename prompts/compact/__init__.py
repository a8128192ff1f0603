"""Template texts for models of a few hundred million parameters. Data only."""
