"""Lends tasks to the processors of other machines, over mutual TLS: see docs/workers.md."""
