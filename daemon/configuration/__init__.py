"""comparimg.toml, the differences between two configurations, and the token that is stored beside the index."""
