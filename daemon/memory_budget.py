"""EDGE: how much memory this machine, or the container, has; and what follows for processes that decode.

The limit of a process is one of its address space (RLIMIT_AS): the libraries take some 500 MB of that, hardly any of it
in memory. Below 1 GB decoders of HEIC and JPEG XL fail on photographs that they could decode.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from index import operating_system

MEGABYTE: Final = 2**20
LEAST_MB, MOST_MB = 1024, 4096
# One process for so much memory: what it holds of a photograph of 24 megapixels, and a share for all else.
FOR_EACH_WORKER_MB: Final = 1024
# Limits of containers, in the two versions of control groups.
GROUP_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_mb(machine_mb: int) -> int:
    """The limit of a process: half of what the machine has, 1 GB at least and 4 GB at most."""
    return max(LEAST_MB, min(MOST_MB, machine_mb // 2))


def workers(machine_mb: int, cores: int) -> int:
    """How many processes: one for each core, as long as there is a gigabyte for each."""
    return max(1, min(cores, round(machine_mb / FOR_EACH_WORKER_MB)))


def machine_mb(group_limits: Iterable[Path] = GROUP_LIMITS) -> int:
    """The memory of the machine, or the less that a container may use."""
    sizes = [operating_system.memory_bytes()]
    for path in group_limits:
        try:
            sizes.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            # There is none, or it says "max".
            continue
    return min(sizes) // MEGABYTE
