"""Detects changes on disk: inotify watches and polling within limits, lost roots, debouncing."""
