"""The REST API: for each resource a module with its routes and one with its schemas, and the table of all routes."""
