"""The HTTP server: waitress in its own thread, `comparimg-web`, with a pool of threads for requests.

It listens as soon as it is constructed, so that a port in use is an error at start. It serves requests after `start`.
"""

import contextlib
import ipaddress
import logging
import threading
import time
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from index.errors import ComparImgError
from webui.app import WebApp
from webui.events import STREAMS_AT_MOST
from webui.http_errors import http_error_of_status
from webui.pages import preferred_language
from webui.routes import BODY_LIMIT_BYTES

# Every event stream occupies a thread. The others serve requests, a few of which wait for thumbnails.
THREADS = STREAMS_AT_MOST + 12
CONNECTIONS_AT_MOST = 200
# One address must not shut out the others. A browser opens six connections, a proxy perhaps some dozens.
CONNECTIONS_OF_ONE = 100
# Above this, waitress itself stops reading. Between the two limits, our own middleware answers with an error.
HARD_BODY_LIMIT_BYTES = BODY_LIMIT_BYTES + 2**20
IDLE_CONNECTION_S = 60
# A client that reads an answer more slowly than this occupies a thread that others need.
LEAST_BYTES_PER_S = 1000
CLEANUP_INTERVAL_S = 10
STOP_WAIT_S = 5.0


class _JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers requests that waitress itself refuses with the same JSON as all other errors."""

    def execute(self) -> None:
        http_error = http_error_of_status(self.request.error.code)
        language = preferred_language(getattr(self.request, "headers", {}).get("ACCEPT_LANGUAGE", ""))
        body = http_error.body(language)
        self.status = f"{self.request.error.code} {self.request.error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            # A Content-Length with more digits than int() accepts.
            raise ParsingError("a number in the headers is none") from error


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection with limits against slow clients.

    A request must be complete within the idle timeout, however slowly it arrives. If there are too many connections,
    the one that has been idle longest is closed in favour of the newest. A browser sends its request at once; a client
    that only holds connections does not.
    """

    error_task_class = _JsonErrorTask
    parser_class = _Parser
    last_activity: float

    def __init__(self, server: BaseWSGIServer, *arguments: Any, **options: Any) -> None:
        super().__init__(server, *arguments, **options)
        # When an answer began to wait to be read, and how many bytes had been sent by then.
        self._unread_since: tuple[float, int] | None = None
        self._sent_bytes = 0
        self._was_blank = False
        open_ = [channel for channel in tuple(server.active_channels.values()) if not channel.will_close]
        theirs = [channel for channel in open_ if channel.addr[0] == self.addr[0]]
        for crowd, at_most in ((theirs, CONNECTIONS_OF_ONE), (open_, CONNECTIONS_AT_MOST)):
            if len(crowd) > at_most:
                waiting = (channel for channel in crowd if not channel.requests and channel is not self)
                # waitress' loop then closes it.
                min(waiting, key=lambda channel: channel.last_activity, default=self).will_close = True
                break

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close) or 0)
        self._sent_bytes += sent
        return sent

    def handle_read(self) -> None:
        begun, at_s = self.request, self.last_activity
        super().handle_read()
        if self._was_blank or (begun is not None and self.request is begun):
            self.last_activity = at_s

    def received(self, data: bytes) -> bool:
        # Blank lines are allowed before a request, but do not begin one.
        self._was_blank = self.request is None and not data.strip(b"\r\n")
        return not self._was_blank and bool(super().received(data))

    def is_stalled(self, now_s: float, patience_s: float) -> bool:
        """Whether an answer has been read too slowly, or not at all, for `patience_s`."""
        if not self.total_outbufs_len:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now_s, self._sent_bytes
        elif now_s - self._unread_since[0] >= patience_s:
            moved = self._sent_bytes - self._unread_since[1]
            self._unread_since = now_s, self._sent_bytes
            return moved < LEAST_BYTES_PER_S * patience_s
        return False


class Server:
    """One listening address with one app behind it."""

    def __init__(self, app: WebApp, host: str, port: int, idle_s: int = IDLE_CONNECTION_S) -> None:
        """Listen at host and port; port 0 means any free port. Idle connections are closed after `idle_s`.

        Raises ComparImgError if the address is not available.
        """
        # waitress would warn of every page that is closed while loading, and whenever all threads are busy.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        self._app = app
        self.host = host
        self._map: dict[int, Any] = {}
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.set_thread_count(THREADS)
        try:
            create_server(
                app,
                map=self._map,
                _dispatcher=self._dispatcher,
                host=host,
                port=port,
                ident=None,
                # Our own limits are reached first, and accept the newest connection.
                connection_limit=2 * CONNECTIONS_AT_MOST,
                # Without lookahead, a closed connection is noticed only when something is written to it.
                channel_request_lookahead=1,
                channel_timeout=idle_s,
                cleanup_interval=min(idle_s, CLEANUP_INTERVAL_S),
                max_request_body_size=HARD_BODY_LIMIT_BYTES,
                max_request_header_size=64 * 1024,
                # The security middleware uses them only to recognise requests that came through a proxy.
                clear_untrusted_proxy_headers=False,
                expose_tracebacks=False,
            )
        except (OSError, ValueError) as error:
            self._dispatcher.shutdown()
            wasyncore.close_all(self._map)
            raise ComparImgError("web.cannot_listen", host=host, port=port, error=error) from error
        self._listeners = [part for part in self._map.values() if isinstance(part, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = _Channel
        self._idle_s = idle_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="comparimg-web")

    @property
    def port(self) -> int:
        """The actual port, also if 0 was requested."""
        return int(self._listeners[0].effective_port)

    @property
    def address(self) -> str:
        """The address for a browser on this machine."""
        return f"http://{_name_in_address(self.host)}:{self.port}/"

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the streams, wait for requests in progress, close. May be called before `start`, and more than once."""
        self._app.close()
        self._dispatcher.shutdown(timeout=STOP_WAIT_S)
        self._stopping.set()
        if not self._thread.is_alive():
            wasyncore.close_all(self._map)
            return
        # The thread may already have noticed that it must stop, and have closed the trigger.
        with contextlib.suppress(OSError):
            self._listeners[0].pull_trigger()
        self._thread.join()

    def _serve(self) -> None:
        try:
            # The server's own run() is not used: sockets must be closed by the thread that polls them.
            while not self._stopping.is_set():
                wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)
                self._drop_slow_readers()
        finally:
            wasyncore.close_all(self._map)

    def _drop_slow_readers(self) -> None:
        """Close connections whose answers are not read. waitress itself would keep them, and the threads that serve
        them."""
        now_s = time.monotonic()
        for listener in self._listeners:
            for channel in tuple(listener.active_channels.values()):
                if channel.is_stalled(now_s, self._idle_s):
                    channel.handle_close()


def _name_in_address(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host or "localhost"
    if address.is_unspecified or address.is_loopback:
        return "localhost"
    return f"[{address}]" if address.version == 6 else str(address)
