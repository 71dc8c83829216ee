"""The index file through the years: migrations with a copy first, daily copies, loss and damage put right."""
