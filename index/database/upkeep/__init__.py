"""Maintenance of the index file: migrations after a backup, daily backups, recovery from loss and damage."""
