"""EDGE: delivers a notice to a program or a webhook, in bounded time, and describes a failure.

The description never contains the address or the arguments, since they may contain a secret.
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

from index.errors import ComparImgError
from index.messages import LANGUAGES, of_os_error

PROGRAM_LIMIT_S: Final = 30.0
WEBHOOK_LIMIT_S: Final = 8.0
# ntfy turns a longer message into a file, or refuses it.
TEXT_LIMIT_BYTES: Final = 4000
# The Apprise API answers this if no configuration is stored under the key in its address.
NO_CONFIGURATION: Final = 204
CHECK_S: Final = 0.2


class NotDelivered(ComparImgError):
    """A notice could not be delivered."""


def run_program(
    command: Sequence[str], notice: Mapping[str, Any], language: str, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Run a program with the notice on its standard input and a summary in $COMPARIMG_SUMMARY. Raises NotDelivered."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    environ = {**kept, "COMPARIMG_SUMMARY": notice["summary"][language], "COMPARIMG_ADDRESS": notice["address"]}
    try:
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environ, cwd="/", start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise NotDelivered(
            "notice.program_not_run", error=of_os_error(error) if isinstance(error, OSError) else error
        ) from error
    end_s = time.monotonic() + PROGRAM_LIMIT_S
    text: bytes | None = json.dumps(notice).encode()
    with process:
        while True:
            try:
                process.communicate(text, timeout=CHECK_S)
                break
            except subprocess.TimeoutExpired:
                # communicate() keeps the input that was not written yet.
                text = None
                if stopped() or time.monotonic() > end_s:
                    # Kills its child processes as well.
                    os.killpg(process.pid, signal.SIGKILL)
                    raise NotDelivered("notice.program_too_slow", seconds=round(PROGRAM_LIMIT_S)) from None
    if process.returncode:
        raise NotDelivered("notice.program_failed", exit_code=process.returncode)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: only the configured address gets a notice."""

    def redirect_request(self, *_: Any) -> None:
        return None


def webhook_content(notice: Mapping[str, Any], form: str, language: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers for a webhook, in one of WEBHOOK_FORMATS.

    "json" is the notice as it is. "text" is its sentence, with the headers that ntfy (docs.ntfy.sh/publish) shows as
    title and link. "apprise" is a message of the Apprise API (github.com/caronc/apprise-api), for all services of its
    configuration.
    """
    title, sentence = f"ComparImg, {notice['host']}", notice["summary"][language]
    if form == "text":
        headers = {"Content-Type": "text/plain; charset=utf-8", "Title": _header(title)}
        if notice["address"]:
            headers["Click"] = _header(notice["address"])
        if notice["urgent"]:
            headers["Priority"] = "high"
        return _shortened(sentence), headers
    message: Mapping[str, Any] = notice
    if form == "apprise":
        body = f"{sentence}\n{notice['address']}".rstrip()
        message = {"title": title, "body": body, "type": "warning" if notice["urgent"] else "info", "tag": "all"}
    return json.dumps(message).encode(), {"Content-Type": "application/json"}


def call_webhook(address: str, notice: Mapping[str, Any], form: str = "json", language: str = LANGUAGES[0]) -> None:
    """POST the notice in one of WEBHOOK_FORMATS. Raises NotDelivered."""
    content, headers = webhook_content(notice, form, language)
    headers["User-Agent"] = f"ComparImg/{notice['version']}"
    try:
        request = urllib.request.Request(address, content, headers, method="POST")
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=WEBHOOK_LIMIT_S) as answer:
            answer.read(1)
            if form == "apprise" and answer.status == NO_CONFIGURATION:
                raise NotDelivered("notice.webhook_no_configuration")
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDelivered("notice.webhook_answered", status=error.code) from None
    except urllib.error.URLError as error:
        cause = error.reason
        reason = of_os_error(cause) if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
        raise NotDelivered("notice.webhook_unreachable", error=reason) from None
    except (OSError, ValueError) as error:
        raise NotDelivered("notice.webhook_silent", error=type(error).__name__) from None


def _shortened(sentence: str) -> bytes:
    encoded = sentence.encode("utf-8", "replace")
    if len(encoded) <= TEXT_LIMIT_BYTES:
        return encoded
    ellipsis = "…".encode()
    return encoded[: TEXT_LIMIT_BYTES - len(ellipsis)].decode("utf-8", "ignore").encode() + ellipsis


def _header(text: str) -> str:
    """A text as the value of a header: printable ASCII."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
