"""Programs that fit the limits and weights of decisions, on any folder of photographs. Not part of the installed
program."""
