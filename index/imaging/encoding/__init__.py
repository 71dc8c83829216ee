"""Compression: a picture in fewer bytes that looks the same, with its metadata, checked against the source."""
