"""Reading and writing the rows of the index: a module for each kind of row."""
