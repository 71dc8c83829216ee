"""REST, the page and its thumbnails. Reads the index and queues jobs; it never changes a file."""
