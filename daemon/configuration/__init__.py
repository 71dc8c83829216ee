"""comparimg.toml, what differs between two of it, and the token that is kept beside the index."""
