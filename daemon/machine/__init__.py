"""The machine the service runs on: what is wrong with it, and the service put in its place."""
