"""Questions that need many rows at once: lists, groups as jobs look at them, figures, the result file."""
