"""EDGE: brings a notice to a program or a web hook, in bounded time, and tells in words what went wrong.

Neither address nor arguments are ever part of those words: they may hold a secret.
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

PROGRAM_LIMIT_S: Final = 30.0
HOOK_LIMIT_S: Final = 8.0
LOOK_S: Final = 0.2


class NotDelivered(Exception):
    """A notice did not arrive; the message says why."""


def run_program(
    command: Sequence[str], notice: Mapping[str, Any], language: str, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Run a program with the notice on its standard input and its words in $COMPARIMG_SUMMARY. Raises NotDelivered."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    environ = {**kept, "COMPARIMG_SUMMARY": notice["summary"][language], "COMPARIMG_ADDRESS": notice["address"]}
    try:
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environ, cwd="/", start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise NotDelivered(f"the program cannot be run: {getattr(error, 'strerror', None) or error}") from error
    end_s = time.monotonic() + PROGRAM_LIMIT_S
    text: bytes | None = json.dumps(notice).encode()
    with process:
        while True:
            try:
                process.communicate(text, timeout=LOOK_S)
                break
            except subprocess.TimeoutExpired:
                # What was not taken yet is kept by communicate itself.
                text = None
                if stopped() or time.monotonic() > end_s:
                    # With all that it started.
                    os.killpg(process.pid, signal.SIGKILL)
                    raise NotDelivered(f"the program took longer than {PROGRAM_LIMIT_S:.0f} s") from None
    if process.returncode:
        raise NotDelivered(f"the program ended with code {process.returncode}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The address that was configured is the one that is told, and no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def call_hook(address: str, notice: Mapping[str, Any]) -> None:
    """POST the notice as JSON. Raises NotDelivered."""
    headers = {"Content-Type": "application/json", "User-Agent": f"ComparImg/{notice['version']}"}
    try:
        request = urllib.request.Request(address, json.dumps(notice).encode(), headers, method="POST")
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=HOOK_LIMIT_S) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDelivered(f"the web hook answered {error.code}") from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or type(error.reason).__name__
        raise NotDelivered(f"the web hook cannot be reached: {reason}") from None
    except (OSError, ValueError) as error:
        raise NotDelivered(f"the web hook did not answer ({type(error).__name__})") from None
