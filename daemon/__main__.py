"""`python -m daemon` runs the service until SIGTERM or SIGINT. SIGHUP makes it reload its configuration."""

import argparse
import logging
import queue
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from daemon import logs
from daemon.configuration.config import Config, for_photos, load
from daemon.console_language import console_language
from daemon.help_language import set_language, translated
from daemon.malloc import limit_arenas
from daemon.sd_notify import SystemdNotifier
from daemon.service import Service, SignalRequest
from index import operating_system
from index.errors import ComparImgError, ConfigError, UsageError
from index.messages import Message, render

log = logging.getLogger("daemon")


def main(arguments: list[str] | None = None) -> int:
    """Run the service. Exit codes: 0 stopped on request, 1 failed, 2 wrong usage or configuration."""
    given = _parser().parse_args(arguments)
    limit_arenas()

    def read() -> Config:
        return for_photos(given.photos, given.config) if given.photos else load(given.config)

    try:
        if not operating_system.IS_LINUX:
            raise UsageError("ctl.linux_only", command="python -m daemon")
        config = read()
        logs.set_up("debug" if given.debug else config.daemon.log, config.daemon.log_file)
        return _run(config, read)
    except ComparImgError as error:
        lines = [render(message, console_language()) for message in (error.message, error.hint) if message is not None]
        print(f"comparimg: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | UsageError) else 1


def _run(config: Config, read: Callable[[], Config]) -> int:
    # A signal handler may run at any moment, even during a wait for this queue. A SimpleQueue allows that; an Event is
    # not reentrant.
    asked: queue.SimpleQueue[SignalRequest] = queue.SimpleQueue()
    for number, meaning in (
        (signal.SIGTERM, SignalRequest.STOP),
        (signal.SIGINT, SignalRequest.STOP),
        (signal.SIGHUP, SignalRequest.RELOAD),
    ):
        signal.signal(number, lambda *_, meaning=meaning: asked.put(meaning))
    with Service(config, SystemdNotifier()) as service:
        print(render(Message("console.address", address=service.address), console_language()), flush=True)
        dead = service.wait(asked, read)
        if dead:
            log.critical("the part %r ended unexpectedly; the service stops", dead)
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    set_language(console_language())
    text = partial(translated, console_language())
    parser = argparse.ArgumentParser(prog="python -m daemon", description=text("The ComparImg service."))
    parser.add_argument("--photos", type=Path, metavar=text("DIR"), help=text("watch this folder and no other"))
    parser.add_argument("--config", type=Path, metavar=text("FILE"), help=text("the configuration file"))
    parser.add_argument("--debug", action="store_true", help=text("log every detail"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
