"""Which features are near to others, compiled by numba: as index.candidates.feature_hits.near, at a tenth of its time.

Importing it raises ImportError or OSError where numba is missing or the system forbids code made at run time.
What was compiled is used until this file changes: what other files define comes as arguments, never as constants.
"""

import numpy as np
from numpy.typing import NDArray

from index.candidates.compiling import compiled, popcount
from index.candidates.feature_hits import CROWD, NOBODY, PROBES, Chains, Hits, Words


def near(chains: Chains, words: Words, keys: NDArray[np.int64], most_bits: int) -> Hits:
    """As index.candidates.feature_hits.near; in another order."""
    tables = (chains.descriptors, chains.following, chains.heads, chains.lengths)
    room = 1 << 12
    while True:
        query, met = np.empty(room, np.int64), np.empty(room, np.int64)
        found = _near(words, keys, PROBES, *tables, most_bits, CROWD, NOBODY, query, met)
        if found <= room:
            return query[:found], met[:found]
        room = found


@compiled()
def _near(
    words: Words,
    keys: NDArray[np.int64],
    probes: NDArray[np.int64],
    descriptors: Words,
    following: NDArray[np.int32],
    heads: NDArray[np.int32],
    lengths: NDArray[np.int32],
    most_bits: int,
    crowd: int,
    nobody: int,
    query: NDArray[np.int64],
    met: NDArray[np.int64],
) -> int:
    """Fills the last two as far as there is room; how many were found."""
    found = 0
    for table in range(len(keys)):
        for one in range(len(words)):
            w0, w1, w2, w3 = words[one, 0], words[one, 1], words[one, 2], words[one, 3]
            for probe in probes:
                key = keys[table, one] ^ probe
                other = heads[table, key]
                if other != nobody and lengths[table, key] > crowd:
                    continue
                while other != nobody:
                    bits = (
                        popcount(w0 ^ descriptors[other, 0])
                        + popcount(w1 ^ descriptors[other, 1])
                        + popcount(w2 ^ descriptors[other, 2])
                        + popcount(w3 ^ descriptors[other, 3])
                    )
                    if bits <= most_bits:
                        if found < len(query):
                            query[found], met[found] = one, other
                        found += 1
                    other = following[table, other]
    return found
