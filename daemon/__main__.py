"""`python -m daemon`: the service, until SIGTERM or SIGINT. SIGHUP has it read its configuration anew."""

import argparse
import logging
import queue
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from daemon import logs
from daemon.configuration.config import Config, for_photos, load
from daemon.memory import share_heaps
from daemon.service import Asked, Service
from daemon.service_manager import ServiceManager
from index.errors import ComparImgError, ConfigError, UsageError

log = logging.getLogger("daemon")


def main(arguments: list[str] | None = None) -> int:
    """Run the service. Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage or configuration."""
    given = _parser().parse_args(arguments)
    share_heaps()

    def read() -> Config:
        return for_photos(given.photos, given.config) if given.photos else load(given.config)

    try:
        config = read()
        logs.set_up("debug" if given.debug else config.daemon.log, config.daemon.log_file)
        return _run(config, read)
    except ComparImgError as error:
        print(f"comparimg: {error.message}", *filter(None, [error.hint]), sep="\n  ", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | UsageError) else 1


def _run(config: Config, read: Callable[[], Config]) -> int:
    if not config.watch:
        log.warning("no folder is watched: name some in comparimg.toml, or start with --photos DIR")
    # A simple queue may be put on in the middle of anything, also of a wait for it; an event may not.
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    for number, meaning in ((signal.SIGTERM, Asked.STOP), (signal.SIGINT, Asked.STOP), (signal.SIGHUP, Asked.RELOAD)):
        signal.signal(number, lambda *_, meaning=meaning: asked.put(meaning))
    with Service(config, ServiceManager()) as service:
        print(f"ComparImg is at {service.address}", flush=True)
        dead = service.wait(asked, read)
        if dead:
            log.critical("the part %r died; the service stops", dead)
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m daemon", description="The ComparImg service.")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="watch this folder and no other")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration file")
    parser.add_argument("--debug", action="store_true", help="log everything")
    return parser


if __name__ == "__main__":
    sys.exit(main())
