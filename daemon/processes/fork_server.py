"""A process from which worker processes are forked, so that none of them imports the modules of the program again.

To start a worker process on its own takes 0.25 s of processor time for its imports, as long as decoding 500 small
files. The fork server is itself forked from the program, before that has any threads or open files: a fork in a process
with threads may copy a lock that is never released. So it is for programs that run once (`comparimg-ctl detect`), and
for Linux. It has one thread, decodes nothing, and holds no files. If it is lost, processes are started on their own.

For each worker process there is a socket between it and the program, and one between the server and the program: the
latter requests the end of the process with any byte, and reports its exit code.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from typing import Final, NoReturn, Self

from daemon.processes.worker import SINGLE_THREADED, serve
from index import operating_system

REQUEST: Final = struct.Struct("<Q")
EXIT_CODE: Final = struct.Struct("<i")
KILL: Final = b"K"
FIRST_DESCRIPTOR: Final = 3
# The functions of OpenBLAS, in numpy and elsewhere, that set its number of threads.
BLAS_SETTERS: Final = (
    "scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)  # fmt: skip


class ForkedProcess:
    """A worker process, with the part of `subprocess.Popen` that is needed. Used by one thread only."""

    def __init__(self, life: socket.socket) -> None:
        self._life = life
        self._code: int | None = None

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._life.send(KILL)

    def wait(self, timeout: float) -> int:
        """The exit code; the negative number of the signal that ended it. Raises subprocess.TimeoutExpired."""
        if self._code is None:
            self._life.settimeout(timeout)
            try:
                answer = self._life.recv(EXIT_CODE.size)
            except TimeoutError:
                raise subprocess.TimeoutExpired("a worker process", timeout) from None
            except OSError:
                answer = b""
            # Without an answer, the server has ended, and the kernel has killed the process with it.
            self._code = EXIT_CODE.unpack(answer)[0] if len(answer) == EXIT_CODE.size else -signal.SIGKILL
            self._life.close()
        return self._code


class ForkServer:
    """The program's side. Any thread may start processes."""

    def __init__(self, control: socket.socket, process_id: int) -> None:
        self._control = control
        self.process_id = process_id
        self._lock = threading.Lock()

    @classmethod
    def fork(cls) -> Self | None:
        """A fork server with the modules that are loaded now; None if it cannot be forked here. To be called before the
        program opens files."""
        set_threads = _blas_threads()
        is_alone = threading.active_count() == 1
        if not operating_system.IS_LINUX or not hasattr(os, "pidfd_open") or set_threads is None or not is_alone:
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        process_id = os.fork()
        if not process_id:
            try:
                _run(theirs, parent, set_threads)
            finally:
                os._exit(1)
        theirs.close()
        return cls(ours, process_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, and with it the processes that are left."""
        self._control.close()
        os.waitpid(self.process_id, 0)

    def start(self, end: socket.socket, memory_bytes: int) -> ForkedProcess:
        """Start a process that serves this end of a channel. Raises OSError if the server has ended."""
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [REQUEST.pack(memory_bytes)], [end.fileno(), theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        return ForkedProcess(ours)


# In the server


def _run(control: socket.socket, parent: int, set_threads: Callable[[int], object]) -> NoReturn:
    """Fork processes until the program ends."""
    operating_system.die_with_parent()
    if not operating_system.is_child_of(parent):
        os._exit(0)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    _close_files(control)
    os.environ.update(SINGLE_THREADED)
    set_threads(1)
    _one_opencv_thread()
    gc.freeze()
    server = _Server(control)
    while server.serve():
        pass
    os._exit(0)


class _Server:
    """The sockets and processes of the server."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        # The process of each of its two descriptors.
        self._lives: dict[int, tuple[socket.socket, int]] = {}
        self._watched = selectors.DefaultSelector()
        self._watched.register(control, selectors.EVENT_READ)

    def serve(self) -> bool:
        """Do what was requested and report what has ended. False once the program has ended."""
        ready = [key for key, _ in self._watched.select()]
        # First the requests to end processes: none of them was reaped yet, so that each number is still that process.
        for key in ready:
            if key.data is not None:
                os.kill(key.data, signal.SIGKILL)
                self._watched.unregister(key.fileobj)
        for key in ready:
            if key.fd in self._lives:
                self._report(key.fd)
        if any(key.fileobj is self._control for key in ready):
            message, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, 2)
            if not message:
                return False
            self._start(*descriptors, *REQUEST.unpack(message))
        return True

    def _start(self, channel: int, life: int, memory_bytes: int) -> None:
        theirs = socket.socket(fileno=life)
        server_id = os.getpid()
        try:
            process_id = os.fork()
        except OSError:
            os.close(channel)
            with contextlib.suppress(OSError):
                theirs.send(EXIT_CODE.pack(1))
            theirs.close()
            return
        if not process_id:
            code = 1
            try:
                self._leave(theirs)
                serve(channel, memory_bytes, server_id)
                code = 0
            finally:
                os._exit(code)
        os.close(channel)
        ended = os.pidfd_open(process_id)
        self._lives[ended] = theirs, process_id
        self._watched.register(ended, selectors.EVENT_READ)
        self._watched.register(theirs, selectors.EVENT_READ, process_id)

    def _leave(self, theirs: socket.socket) -> None:
        """Close what belongs to the server, in a process that it forked."""
        self._watched.close()
        self._control.close()
        theirs.close()
        for descriptor, (life, _) in self._lives.items():
            life.close()
            os.close(descriptor)

    def _report(self, ended: int) -> None:
        life, process_id = self._lives.pop(ended)
        self._watched.unregister(ended)
        os.close(ended)
        with contextlib.suppress(KeyError):
            self._watched.unregister(life)
        _, status = os.waitpid(process_id, 0)
        with contextlib.suppress(OSError):
            life.send(EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))
        life.close()


def _close_files(control: socket.socket) -> None:
    """Close everything but a socket, and drop what is written to the standard streams."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(FIRST_DESCRIPTOR):
        os.dup2(nothing, stream)
    os.closerange(FIRST_DESCRIPTOR, control.fileno())
    os.closerange(control.fileno() + 1, os.sysconf("SC_OPEN_MAX"))


def _blas_threads() -> Callable[[int], object] | None:
    """The function that sets the number of threads of numpy's BLAS; None if it is not known."""
    extension = importlib.import_module("numpy._core._multiarray_umath")

    with contextlib.suppress(OSError):
        library = ctypes.CDLL(str(extension.__file__))
        for name in BLAS_SETTERS:
            if (setter := getattr(library, name, None)) is not None:
                return setter  # type: ignore[no-any-return]
    return None


def _one_opencv_thread() -> None:
    import cv2  # noqa: PLC0415

    cv2.setNumThreads(1)
