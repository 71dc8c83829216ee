"""The jobs, the runner and scheduler that start them, and the journal of the changes they make."""
