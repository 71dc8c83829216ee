"""EDGE: reads how much memory this machine or container has, and derives limits for the processes that decode.

The limit of a process is one of its address space (RLIMIT_AS). The libraries take some 500 MB of that, hardly any of it
in memory. Below 1 GB, the decoders of HEIC and JPEG XL fail on photographs that they could otherwise decode.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from index import operating_system

MEGABYTE: Final = 2**20
LEAST_MB, MOST_MB = 1024, 4096
# One process for each of these: what a process holds for a photograph of 24 megapixels, and a share for everything
# else.
FOR_EACH_WORKER_MB: Final = 1024
# The limits of containers, in both versions of control groups.
GROUP_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_mb(machine_mb: int) -> int:
    """The memory limit of a process in MB: half of the machine's memory, at least 1 GB and at most 4 GB."""
    return max(LEAST_MB, min(MOST_MB, machine_mb // 2))


def workers(machine_mb: int, cores: int) -> int:
    """The number of worker processes: one for each core, as long as there is a gigabyte for each."""
    return max(1, min(cores, round(machine_mb / FOR_EACH_WORKER_MB)))


def machine_mb(group_limits: Iterable[Path] = GROUP_LIMITS) -> int:
    """The memory of the machine in MB, or of the container if that has less."""
    sizes = [operating_system.memory_bytes()]
    for path in group_limits:
        try:
            sizes.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            # There is no limit, or it is "max".
            continue
    return min(sizes) // MEGABYTE
