"""What asks: REST, the page and its thumbnails. Reads the index and files requests; it never acts on a file."""
