"""Worker processes that can be killed, and their tasks."""
