"""Candidate pairs: perceptual hashes of whole pictures and crops, local features, and the search among them."""
