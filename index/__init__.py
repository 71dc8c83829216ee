"""What ComparImg knows: pure rules about images, and the one SQLite file. Imports nothing of daemon or webui."""
