"""Image science: from files and their bytes to candidates, verified matches, groups and smaller files. No database."""
