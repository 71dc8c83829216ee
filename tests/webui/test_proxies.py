"""The proxies of docs/security.md as they are configured there, real ones, before the real server.

Each is left out where it is not installed: nginx, caddy.
"""

import http.client
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from daemon.configuration.config import load
from index.database.store import Store
from support.serving import until
from support.weblibrary import Daemon, make_client
from webui.server import Server

TOKEN = "s3cret-t0ken-of-the-page"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = (Path(__file__).parents[2] / "docs" / "security.md").read_text().partition("## Signing in at a proxy")[2]
EXAMPLES = dict(BLOCK.findall(SECTION))
NAME = "photos.example.org"
# Not that of the tests: a user's own often lacks the folders of such programs.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


class Authelia(BaseHTTPRequestHandler):
    """Answers as Authelia does: 200 with the name of a session, 401 or 302 to the sign-in page for others."""

    def do_GET(self) -> None:
        session = self.headers.get("Cookie", "").removeprefix("authelia_session=")
        refusal = 401 if self.path.startswith("/api/authz/auth-request") else 302
        self.send_response(200 if session else refusal)
        if session and session != "nameless":
            self.send_header("Remote-User", session)
        if not session:
            self.send_header("Location", "https://auth.example.org/")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def backends(store: Store, daemon: Daemon, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The servers at the two addresses of the examples: Authelia, and ComparImg as the example configures it."""
    file = tmp_path / "comparimg.toml"
    file.write_text(EXAMPLES["toml"])
    web = load(file, {}).web
    page = Server(
        make_client(
            store, daemon, token=TOKEN, names=web.names, auth_header=web.auth_header, auth_proxies=web.auth_proxies
        ).app, "127.0.0.1", 0,
    )  # fmt: skip
    page.start()
    authelia = ThreadingHTTPServer(("127.0.0.1", 0), Authelia)
    thread = threading.Thread(target=authelia.serve_forever, args=(0.01,))
    thread.start()
    yield {"127.0.0.1:5000": f"127.0.0.1:{page.port}", "127.0.0.1:9091": f"127.0.0.1:{authelia.server_port}"}
    authelia.shutdown()
    authelia.server_close()
    thread.join()
    page.stop()


@contextmanager
def caddy(folder: Path, example: str, port: int) -> Iterator[None]:
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + example.replace(f"{NAME} {{", f"http://{NAME}:{port} {{"))
    with running(["caddy", "run", "--adapter", "caddyfile", "--config", str(file)], folder, port):
        yield


@contextmanager
def nginx(folder: Path, example: str, port: int) -> Iterator[None]:
    """With its own folder for all that it writes, and without TLS."""
    example = re.sub(r" *ssl_certificate.*\n", "", example.replace("listen 443 ssl", f"listen 127.0.0.1:{port}"))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{example}}}\n"
    )
    with running(["nginx", "-p", str(folder), "-e", "stderr", "-c", str(file)], folder, port):
        yield


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "log"

    def is_listening() -> bool:
        assert process.poll() is None, log.read_text()
        with closing(socket.socket()) as ask:
            return ask.connect_ex(("127.0.0.1", port)) == 0

    with log.open("wb") as output:
        process = subprocess.Popen(command, env={"PATH": PATH, "HOME": str(folder)}, stdout=output, stderr=output)
    try:
        until(is_listening)
        yield
    finally:
        process.terminate()
        process.wait()


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name, path=PATH) is None, reason=f"there is no {name} here")


PROXIES = [
    pytest.param(caddy, "caddyfile", marks=needs("caddy"), id="caddy"),
    pytest.param(nginx, "nginx", marks=needs("nginx"), id="nginx"),
]


@pytest.mark.attack("the user's header of forward authentication, sent by a browser through the proxy")
@pytest.mark.parametrize(("start", "kind"), PROXIES)
def test_the_documented_proxy_names_who_signed_in_and_no_one_else(
    backends: dict[str, str], tmp_path: Path, start: Any, kind: str
) -> None:
    port = free_port()
    example = EXAMPLES[kind]
    for written, real in backends.items():
        assert written in example
        example = example.replace(written, real)

    def ask(session: str = "", path: str = "/api/v1/folders", **headers: str) -> http.client.HTTPResponse:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            sent = {name.replace("__", "-"): value for name, value in headers.items()}
            cookie = {"Cookie": f"authelia_session={session}"} if session else {}
            connection.request("GET", path, headers={"Host": f"{NAME}", **cookie, **sent})
            answer = connection.getresponse()
            answer.read()
            return answer

    with start(tmp_path, example, port):
        assert ask("alice").status == 200, (tmp_path / "log").read_text()
        stranger = ask()
        assert (stranger.status, stranger.headers["Location"]) == (302, "https://auth.example.org/")
        assert ask(Remote__User="alice").status == 302
        # Signed in, but as no one: the name that the browser sends must not count, however it is spelt.
        for name in ("Remote__User", "remote__user", "Remote_User"):
            assert ask("nameless", **{name: "alice"}).status == 401, name
        assert ask("alice", Remote__User="bob").status == 200
