"""Rules over groups: matches to groups, which image to keep and why, what a rule decides."""
