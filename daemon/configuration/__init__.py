"""comparimg.toml, the differences between two configurations, and the token that is stored next to the index."""
