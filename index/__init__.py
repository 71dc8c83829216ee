"""Rules about images, and the SQLite file. Imports nothing of daemon or webui."""
