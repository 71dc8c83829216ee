"""Queries over many rows: paged lists, groups for jobs, proposals, statistics, the result file."""
