"""Worker processes that can be killed, and what they are asked to do."""
