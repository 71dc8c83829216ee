"""What a decoder may do to the process it runs in. Functions for worker processes, by their reference."""

import ctypes
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from daemon.processes.worker import set_stages
from index.errors import PictureError
from index.messages import text


def same(item: Any) -> Any:
    return item


def process_id(item: Any) -> int:
    return os.getpid()


def hang(item: Any) -> NoReturn:
    while True:
        time.sleep(3600)


def read_slowly(item: Any) -> Any:
    """Index a file as usual, but take a quarter of a second for it."""
    time.sleep(0.25)
    return importlib.import_module("daemon.processes.decode_task").index_file(item)


def check_slowly(item: Any) -> Any:
    """Check a picture as usual, but take a while for it."""
    time.sleep(0.05)
    return importlib.import_module("daemon.processes.decode_task").check_picture(item)


def is_nice(item: Any) -> tuple[int, bool]:
    """The process's niceness, and whether it heeds Ctrl-C."""
    return os.nice(0), signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def open_files(item: Any) -> int:
    """How many files the process has open, the listing of them included."""
    return len(os.listdir("/proc/self/fd"))


def opencv_threads(item: Any) -> int:
    """How many threads OpenCV uses in the process."""
    return int(importlib.import_module("cv2").getNumThreads())


def loaded(names: tuple[str, ...]) -> list[str]:
    """Which of these modules the process has imported."""
    return [name for name in names if name in sys.modules]


def obey(order: tuple[str, Any]) -> Any:
    """Do what the order's first part names."""
    what, argument = order
    match what:
        case "answer":
            return argument
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(argument)
        case "hang":
            while True:
                time.sleep(60)
        case "spin":
            while True:
                pass
        case "eat":
            return len(bytes(argument))
        case "fail":
            raise PictureError("corrupt", text(argument))
        case "raise":
            raise argument
        case "killed once":
            # As by someone else: the second time round there is nothing wrong.
            if not Path(argument).exists():
                Path(argument).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return "second time"
        case "killed twice":
            with open(argument, "ab") as mark:
                mark.write(b"x")
            if Path(argument).stat().st_size <= 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return "third time"
        case "unanswerable":
            return lambda: argument
        case "wait for":
            while not Path(argument).exists():
                time.sleep(0.005)
            return argument
        case "append":
            path, line = argument
            with open(path, "a", encoding="ascii") as log:
                print(line, file=log)
            return line
        case "note":
            Path(argument).touch()
            return argument
    return None


def obey_in_stages(order: tuple[str, Any]) -> Any:
    """As `obey`, in stages: a process does several orders together."""
    return same(obey(order))


set_stages(obey_in_stages, obey, same)


def crash(item: Any) -> None:
    obey(("crash", item))


def eat(item: Any) -> None:
    obey(("eat", 2**40))


class Unreadable:
    """An item that the worker cannot load."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> NoReturn:
    raise ImportError("there is no such decoder")
