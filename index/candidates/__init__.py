"""Which pictures may be copies: hashes of wholes and of parts, local features, and the search among them."""
