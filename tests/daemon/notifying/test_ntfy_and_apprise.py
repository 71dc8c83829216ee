"""The examples of docs/monitoring.md, against servers that answer as ntfy and the Apprise API are documented to."""

import base64
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from daemon.configuration.config import Config, load
from daemon.notifying import notices
from daemon.notifying.notifier import Notifier
from daemon.notifying.transports import TEXT_LIMIT_BYTES, call_webhook
from index.database.store import Store
from index.messages import Message, text

SECTION = (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text().partition("## ntfy and Apprise")[2]
NTFY_EXAMPLE, APPRISE_EXAMPLE = re.findall(r"^```toml\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
(SHELL_EXAMPLE,) = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


class Ntfy(BaseHTTPRequestHandler):
    """docs.ntfy.sh/publish: POST /TOPIC with the message as body, Title, Priority and Click as headers; `auth` in the
    address is the header Authorization in base64 for URLs, without padding. A long message becomes a file."""

    messages: ClassVar[list[dict[str, str]]] = []
    token = ""

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        given = parse_qs(address.query).get("auth", [""])[0]
        padded = given + "=" * (-len(given) % 4)
        authorization = base64.urlsafe_b64decode(padded).decode() or self.headers.get("Authorization", "")
        if not re.fullmatch(r"/[-_A-Za-z0-9]{1,64}", address.path):
            return self.answer(404, {"code": 40401})
        if self.token and authorization != f"Bearer {self.token}":
            return self.answer(403 if not authorization else 401, {"code": 40301})
        if len(body) > 4096:
            return self.answer(400, {"code": 40012})
        priority = self.headers.get("Priority", "default")
        assert priority in ("min", "low", "default", "high", "max", "urgent", *"12345")
        Ntfy.messages.append(
            {"topic": address.path[1:], "message": body.decode(), "title": self.headers["Title"], "priority": priority,
             "click": self.headers.get("Click", "")}
        )  # fmt: skip
        return self.answer(200, {"event": "message"})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Apprise(Ntfy):
    """The Apprise API: POST /notify/KEY with JSON; `body` is required, `type` is one of four. 204 for a key under which
    nothing is stored, 424 where the tag fits no service, or a service fails."""

    configurations: ClassVar[dict[str, list[str]]] = {"family": ["phones"], "none": [], "broken": ["broken"]}

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        match = re.fullmatch(r"/notify/([\w-]{1,128})/?", self.path)
        if match is None:
            return self.answer(404, {})
        if self.headers["Content-Type"] != "application/json":
            return self.answer(400, {"error": "Bad FORM Payload provided."})
        content = json.loads(raw)
        if not content.get("body") or content.get("type", "info") not in ("info", "success", "warning", "failure"):
            return self.answer(400, {"error": "Payload lacks minimum requirements."})
        tags = self.configurations.get(match[1])
        if tags is None:
            self.send_response(204)
            return self.end_headers()
        notified = [tag for tag in tags if content.get("tag") in ("all", tag)]
        if not notified or "broken" in notified:
            return self.answer(424, {"error": "One or more notification could not be sent."})
        Apprise.messages.append(content)
        return self.answer(200, {"error": None})


@contextmanager
def serving(handler: type[Ntfy]) -> Iterator[str]:
    handler.messages = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def configured(folder: Path, example: str, server: str) -> Config:
    """The example as it is written, but for the name of the server."""
    file = folder / "comparimg.toml"
    file.write_text(re.sub(r"https?://[\w.]+\.example\.org(:\d+)?", server, example))
    return load(file)


def report_of(folder: Path, config: Config) -> str:
    """What `comparimg-ctl notify-test` reports about the webhook, "" where the notice arrived."""
    with Store(folder / "data") as store:
        (problem,) = Notifier(store, config, "http://nas:5000/").test().values()
    return str(problem or "")


def test_the_example_for_ntfy_works(tmp_path: Path) -> None:
    with serving(Ntfy) as server:
        config = configured(tmp_path, NTFY_EXAMPLE, server)
        assert report_of(tmp_path, config) == ""
        urgent = notices.Notice(({"event": "x"},), Message("notice.root_offline", path="/mnt/été"), urgent=True)
        call_webhook(
            config.notify.webhook, notices.payload(urgent, "nas", "1", "now", "http://nas:5000/"), "text", "fr"
        )
    first, second = Ntfy.messages
    assert first["topic"] == "comparimg-9f3kq2"
    assert (first["priority"], first["click"]) == ("default", "http://nas:5000/")
    assert first["title"].startswith("ComparImg, ")
    assert (second["priority"], "/mnt/été" in second["message"]) == ("high", True)


def test_the_address_with_a_token_is_what_ntfy_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = subprocess.run(["sh", "-c", SHELL_EXAMPLE], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setattr(Ntfy, "token", "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2")
    example = f'[notify]\nwebhook = "{address}"\nwebhook_format = "text"\n'
    with serving(Ntfy) as server:
        assert report_of(tmp_path, configured(tmp_path, example, server)) == ""
        without = configured(tmp_path, example.replace("?auth=", "?other="), server)
        assert "403" in report_of(tmp_path, without)
        assert "tk_" not in str(report_of(tmp_path, without)) and "auth" not in report_of(tmp_path, without)
    assert len(Ntfy.messages) == 1


def test_a_long_notice_is_no_file_for_ntfy() -> None:
    for sentence in ("é" * 5000, "a" + "é" * 5000, "short"):
        notice = notices.payload(notices.Notice(({},), text(sentence), False), "nas", "1", "now", "")
        with serving(Ntfy) as server:
            call_webhook(f"{server}/topic", notice, "text")
        (got,) = Ntfy.messages
        assert len(got["message"].encode()) <= TEXT_LIMIT_BYTES
        assert sentence.startswith(got["message"].rstrip("…"))


def test_the_example_for_apprise_works_whatever_the_tags(tmp_path: Path) -> None:
    with serving(Apprise) as server:
        assert report_of(tmp_path, configured(tmp_path, APPRISE_EXAMPLE, server)) == ""
    (message,) = Apprise.messages
    assert message["type"] == "info"
    assert message["body"].endswith("\nhttp://nas:5000/")


@pytest.mark.parametrize(("key", "reported"), [("unknown", "nothing is stored"), ("none", "424"), ("broken", "424")])
def test_what_apprise_does_not_pass_on_is_reported(tmp_path: Path, key: str, reported: str) -> None:
    with serving(Apprise) as server:
        config = configured(tmp_path, APPRISE_EXAMPLE.replace("family", key), server)
        assert reported in report_of(tmp_path, config)
    assert Apprise.messages == []
