"""What is on disk, and what a file's bytes tell: pixels for hashing and for looking, facts, metadata."""
