"""Decodes a file's bytes to pixels, facts, metadata, previews and digests."""
