"""What REST does: a module for each kind of thing it tells of or takes, and the table of all routes."""
