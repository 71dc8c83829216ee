"""Programs that fit what decides, on any folder of photographs. They are no part of the installed program."""
