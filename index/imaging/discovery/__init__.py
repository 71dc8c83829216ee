"""Finds which files on disk are images, what belongs to them, and what has changed since the last scan."""
