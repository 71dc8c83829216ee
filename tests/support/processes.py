"""What a process and its children cost, from /proc."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def family(process_id: int) -> list[int]:
    """A process and all below it."""
    process_ids = [process_id]
    for member in process_ids:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                process_ids += map(int, children.read_text().split())
            except OSError:
                continue
    return process_ids


def rss_mb(process_id: int) -> float:
    """Memory that is resident, in megabytes; 0 for a process that has ended."""
    try:
        return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20
    except OSError:
        return 0.0


def cpu_s(process_id: int) -> float:
    """Processor time in seconds, with that of children which have ended."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_S


def threads_and_files(process_id: int) -> tuple[int, int]:
    """How many threads and open files a process has."""
    return len(os.listdir(f"/proc/{process_id}/task")), len(os.listdir(f"/proc/{process_id}/fd"))
