"""Two pictures laid over each other: are they the same picture, and what was done to the copy."""
