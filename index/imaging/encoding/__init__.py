"""A picture in fewer bytes that looks the same, with its metadata, checked against the first."""
