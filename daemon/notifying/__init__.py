"""Notices: their text, when they are sent, and their transports."""
