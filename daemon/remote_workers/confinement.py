"""EDGE: makes a process give up the rights it does not need: files, programs, other users' rights, own connections.

Descriptors that are open stay open. Landlock (Linux 5.13; for connections 6.7) forbids every path. If the kernel does
not have it, the limits on processes, files and memory remain, and a process of root becomes a user without rights.
"""

import contextlib
import ctypes
import os
import resource
import struct
from typing import Final

PR_SET_NO_NEW_PRIVS: Final = 38
PR_SET_DUMPABLE: Final = 4
# The numbers of new system calls are the same on every architecture.
LANDLOCK_CREATE_RULESET: Final = 444
LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_VERSION: Final = 1
# By Landlock version: how many kinds of file access it knows. From version 4 on it also covers bind and connect by TCP.
FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
FILE_RIGHTS_SINCE_5: Final = 16
TCP_RIGHTS: Final = 0b11
TCP_SINCE: Final = 4
# Signals to outside processes and abstract sockets outside, from version 6 on.
SCOPES: Final = 0b11
SCOPES_SINCE: Final = 6
NO_RIGHTS: Final = 65534


def landlock_version() -> int:
    """The version of Landlock; 0 if the kernel does not have it, or has it disabled."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)))


def confine(open_files: int, memory_bytes: int) -> bool:
    """Give up these rights permanently. Returns whether Landlock is in force as well. Call it before any thread
    starts."""
    if os.geteuid() == 0:
        # A container may have removed this right from its root user, and then the other rights, too.
        with contextlib.suppress(PermissionError):
            os.setgroups([])
            os.setresgid(NO_RIGHTS, NO_RIGHTS, NO_RIGHTS)
            os.setresuid(NO_RIGHTS, NO_RIGHTS, NO_RIGHTS)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    is_locked = _lock_files(libc)
    for kind, limit in (
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory_bytes),
    ):
        resource.setrlimit(kind, (limit, limit))
    return is_locked


def _lock_files(libc: ctypes.CDLL) -> bool:
    version = landlock_version()
    if not version:
        return False
    files = (1 << FILE_RIGHTS.get(version, FILE_RIGHTS_SINCE_5)) - 1
    fields = [files]
    if version >= TCP_SINCE:
        fields.append(TCP_RIGHTS)
    if version >= SCOPES_SINCE:
        fields.append(SCOPES)
    # A ruleset without rules forbids everything that it handles.
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        return int(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)
