"""The jobs, the one runner that takes them, the clock that asks for them, and the journal they act by."""
