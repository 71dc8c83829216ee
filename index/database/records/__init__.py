"""Reads and writes the rows of the index: one module for each kind of row."""
