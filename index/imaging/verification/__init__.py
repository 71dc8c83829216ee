"""Two pictures aligned and compared: are they the same picture, and what was done to the copy."""
