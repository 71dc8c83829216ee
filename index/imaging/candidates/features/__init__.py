"""Local features: described, searched in LSH tables, and verified by geometry."""
