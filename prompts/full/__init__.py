"""Template texts for capable models. Data only."""
