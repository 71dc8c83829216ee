"""The same as lsh_tables.near, compiled by numba: a tenth of the time.

Importing this module raises ImportError or OSError if numba is missing, or if the system forbids code generated at run
time. Compiled code is cached until this file changes, so values from other files are arguments, never constants.
"""

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.features.lsh_tables import CROWD, END_OF_CHAIN, PROBES, Hits, LshTables, Words
from index.imaging.candidates.numba_support import compiled, popcount


def near(chains: LshTables, words: Words, keys: NDArray[np.int64], most_bits: int) -> Hits:
    """The hits of lsh_tables.near, in another order."""
    tables = (chains.descriptors, chains.following, chains.heads, chains.lengths)
    room = 1 << 12
    while True:
        query, met = np.empty(room, np.int64), np.empty(room, np.int64)
        count = _near(words, keys, PROBES, *tables, most_bits, CROWD, END_OF_CHAIN, query, met)
        if count <= room:
            return query[:count], met[:count]
        room = count


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
    end_of_chain: int,
    query: NDArray[np.int64],
    met: NDArray[np.int64],
) -> int:
    """Fill `query` and `met` as far as there is room. Returns the number of hits, which may be larger."""
    count = 0
    for table in range(len(keys)):
        for number in range(len(words)):
            w0, w1, w2, w3 = words[number, 0], words[number, 1], words[number, 2], words[number, 3]
            for probe in probes:
                key = keys[table, number] ^ probe
                other = heads[table, key]
                if other != end_of_chain and lengths[table, key] > crowd:
                    continue
                while other != end_of_chain:
                    bits = (
                        popcount(w0 ^ descriptors[other, 0])
                        + popcount(w1 ^ descriptors[other, 1])
                        + popcount(w2 ^ descriptors[other, 2])
                        + popcount(w3 ^ descriptors[other, 3])
                    )
                    if bits <= most_bits:
                        if count < len(query):
                            query[count], met[count] = number, other
                        count += 1
                    other = following[table, other]
    return count
