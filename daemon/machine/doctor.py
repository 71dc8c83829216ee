"""What is wrong with this machine, the folders, the index and the service, and what to do about it.

Looked at as the user whom the service runs as: what root may do says nothing of what the service may.
"""

import contextlib
import os
import pwd
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon import running
from daemon.client import Client
from daemon.configuration import tokens
from daemon.configuration.config import Config, load
from daemon.machine import checks, installation, unit
from daemon.machine.checks import Finding, Grade
from daemon.machine.installation import Places
from daemon.terminal import counted
from daemon.version import VERSION
from index.errors import ComparImgError, ConfigError, NoDaemon
from index.settings import is_loopback


def examine(config_file: Path | None, places: Sequence[Places], address: str | None) -> Iterator[Finding]:
    """Every finding, as it is made. `places` are where a service may be installed, `address` where it answers."""
    yield from checks.program()
    yield from checks.clock()
    try:
        config = load(config_file)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", Grade.WRONG, problem, f"Mend {error.source}; nothing else was looked at.")
        return
    roots = len(config.watch)
    source = config.source or "the defaults"
    if roots:
        yield Finding("configuration", Grade.GOOD, f"{source}: {counted(roots, 'watched folder')}")
    else:
        yield Finding("configuration", Grade.NOTE, f"{source} names no folders to watch",
                      "Name them in [[watch]] sections, or one at the start: make run PHOTOS=~/Pictures.")  # fmt: skip
    here = next((place for place in places if config.source == place.config and place.unit.exists()), None)
    with _acting_as(_user_of(here)):
        yield from checks.limits(config)
        yield from checks.data_folder(config)
        yield from checks.index(config)
        for section in config.watch:
            yield from checks.root(section)
        yield from _token(config)
    if here is not None:
        yield from _installed(config, here)
    yield from _answering(config, address)


def _token(config: Config) -> Iterator[Finding]:
    if is_loopback(config.web.host):
        return
    try:
        there = bool(config.web.token or tokens.kept(config.daemon.data_dir))
    except ComparImgError as error:
        yield Finding("token", Grade.WARNING, error.message, error.hint)
        return
    told = "asked for" if there else "the next start makes one, as others can reach the page"
    yield Finding("token", Grade.GOOD if there else Grade.NOTE, told, "" if there else "comparimg-ctl token shows it.")


def _installed(config: Config, places: Places) -> Iterator[Finding]:
    """The unit: whether it runs, and whether it may write where the configuration wants it to."""
    told = installation.state(places)
    state = told.get("ActiveState", "")
    if state and state != "active":
        yield Finding("service", Grade.WRONG, f"it is {state} ({told.get('Result', '')})",
                      "journalctl -u comparimg tells why.")  # fmt: skip
    elif state:
        yield Finding("service", Grade.GOOD, f"active since {told.get('ActiveEnterTimestamp', '')}")
    if told.get("NRestarts", "0") not in ("", "0"):
        yield Finding("service", Grade.WARNING, f"systemd had to start it anew {told['NRestarts']} times",
                      "journalctl -u comparimg tells why.")  # fmt: skip
    if not places.is_system:
        return
    text = places.unit.read_text("utf-8")
    allowed = set(unit.paths_of(text, "ReadWritePaths"))
    wanted = set(unit.path_lines(installation.writable_folders(config)))
    if wanted - allowed:
        folders = ", ".join(sorted(wanted - allowed))
        yield Finding("service", Grade.WRONG, f"its unit does not let it write {folders.replace('-/', '/')}",
                      "comparimg-ctl service install writes the unit anew.")  # fmt: skip


def _answering(config: Config, address: str | None) -> Iterator[Finding]:
    """The daemon itself, where one answers; else whether one could listen."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)
    where = address or f"http://{f'[{host}]' if ':' in host else host}:{config.web.port}"
    ask = Client(where, tokens.to_send(config))
    try:
        status = ask.get("status")
        roots = list(ask.pages("roots"))
    except NoDaemon:
        yield from _silent(config, host, where)
        return
    except ComparImgError as error:
        yield Finding("daemon", Grade.WARNING, f"{where} answers: {error.message}", error.hint)
        return
    folder = config.daemon.data_dir
    if address is None and (not folder.exists() or os.access(folder, os.X_OK)) and running.process_of(folder) is None:
        yield Finding("daemon", Grade.WRONG, f"another ComparImg answers at {where}, not the one of this configuration",
                      "Stop that one, or choose another port with [web] port.")  # fmt: skip
        return
    dead = [name for name, alive in status["parts"].items() if not alive]
    if dead:
        yield Finding("daemon", Grade.WRONG, f"at {where}, but does not work: {', '.join(dead)}", "See its log.")
    else:
        yield Finding("daemon", Grade.GOOD, f"version {status['version']} at {where}, every part works")
    if status["version"] != VERSION:
        yield Finding("daemon", Grade.WARNING, f"it is version {status['version']}, this program {VERSION}",
                      "Start it anew.")  # fmt: skip
    if problems := status["totals"]["problems"]:
        yield Finding("daemon", Grade.NOTE, f"{counted(problems, 'file')} could not be read as pictures",
                      "comparimg-ctl problems lists them.")  # fmt: skip
    if not roots:
        yield Finding("daemon", Grade.WARNING, "it watches no folder", "Name your folders in [[watch]] sections.")
    for root in roots:
        if root["state"] != "online":
            yield Finding(f"folder {root['path']}", Grade.WRONG, f"it is offline to the daemon: {root['reason']}",
                          "Mount it; what is known of its images is kept.")  # fmt: skip
        if root["away_images"]:
            told = f"{counted(root['away_images'], 'image')} of another disk that was mounted here wait for it"
            yield Finding(f"folder {root['path']}", Grade.NOTE, told,
                          "comparimg-ctl disks list shows it; where it never comes back: disks forget ID.")  # fmt: skip
        if root["state"] == "online" and root["note"]:
            yield Finding(f"folder {root['path']}", Grade.WARNING, f"it {root['note']}")


def _silent(config: Config, host: str, where: str) -> Iterator[Finding]:
    yield Finding("daemon", Grade.NOTE, f"none answers at {where}",
                  "make run, or comparimg-ctl service install, starts one.")  # fmt: skip
    if not config.web.port:
        return
    try:
        socket.create_server((host, config.web.port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        yield Finding("daemon", Grade.WRONG, f"nothing could listen at {where}: {error.strerror}",
                      "Choose another port with [web] port.")  # fmt: skip


def _user_of(places: Places | None) -> str:
    """Whom an installed system service runs as, where we may become that user."""
    if places is None or os.geteuid() != 0:
        return ""
    return next(iter(unit.paths_of(places.unit.read_text("utf-8"), "User")), "")


@contextlib.contextmanager
def _acting_as(name: str) -> Iterator[None]:
    """Look with another user's rights for a while."""
    if not name or os.geteuid() != 0:
        yield
        return
    user = pwd.getpwnam(name)
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(name, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
