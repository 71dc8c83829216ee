"""`python -m daemon`: the service, until SIGTERM or SIGINT."""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from daemon.config import Config, for_photos, load
from daemon.service import Service
from index.errors import ComparImgError, ConfigError, UsageError

log = logging.getLogger("daemon")


def main(arguments: list[str] | None = None) -> int:
    """Run the service. Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage or configuration."""
    given = _parser().parse_args(arguments)
    try:
        config = for_photos(given.photos, given.config) if given.photos else load(given.config)
        _log(config, given.debug)
        return _run(config)
    except ComparImgError as error:
        print(f"comparimg: {error.message}", *filter(None, [error.hint]), sep="\n  ", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | UsageError) else 1


def _run(config: Config) -> int:
    if not config.watch:
        log.warning("no folder is watched: name some in comparimg.toml, or start with --photos DIR")
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    with Service(config) as service:
        print(f"ComparImg is at {service.address}", flush=True)
        dead = service.wait(stop)
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


def _log(config: Config, debug: bool) -> None:
    level = logging.DEBUG if debug else getattr(logging, config.daemon.log.upper(), logging.INFO)
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # One line for every schedule that is looked at, which is every minute.
    logging.getLogger("apscheduler").setLevel(max(level, logging.WARNING))


if __name__ == "__main__":
    sys.exit(main())
