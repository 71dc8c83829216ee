"""Pictures that fits and benchmarks measure with: the photographs of a folder, and copies, drawings and texts made from
them or from nothing. Not part of the installed program."""
