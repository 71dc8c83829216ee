"""The REST API: a module with the routes of each resource, one with its schemas, and the table of all routes."""
