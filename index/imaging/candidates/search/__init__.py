"""Search by Hamming distance: hashes in memory, compared by numpy or compiled code."""
