"""The machine that the service runs on: its diagnosis, and the installation of the service."""
