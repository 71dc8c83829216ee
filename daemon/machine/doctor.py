"""The doctor: checks this machine, the folders, the index and the service, and names remedies.

The checks run as the user of the service, since root has other rights.
"""

import contextlib
import os
import pwd
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon import pidfile
from daemon.client import Client
from daemon.configuration import stored_overrides, tokens
from daemon.configuration.config import Config, load
from daemon.console_language import console_language
from daemon.machine import checks, forward_auth_checks, installation, lending_checks, model_checks, unit
from daemon.machine.checks import Finding, Grade
from daemon.machine.installation import Places
from daemon.version import VERSION
from index.errors import ComparImgError, ConfigError, NoDaemon, StoreError
from index.messages import Message, of_os_error


def examine(config_file: Path | None, places: Sequence[Places], address: str | None) -> Iterator[Finding]:
    """Yield every finding as it is made. `places` are the possible installations of a service, `address` is that of the
    daemon."""
    yield from checks.program()
    yield from checks.clock()
    try:
        config = load(config_file)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", Grade.WRONG, problem, Message("doctor.config_remedy", file=error.source))
        return
    here = next((place for place in places if config.source == place.config and place.unit.exists()), None)
    with _acting_as(_user_of(here)):
        try:
            config = stored_overrides.effective(config)
        except StoreError as error:
            yield Finding("configuration", Grade.WARNING, error.message, Message("doctor.index_hidden_remedy"))
    roots = len(config.watch)
    source = config.source or Message("doctor.defaults")
    if roots:
        yield Finding("configuration", Grade.GOOD, Message("doctor.config", file=source, n=roots))
    else:
        yield Finding("configuration", Grade.NOTE, Message("doctor.no_roots", file=source),
                      Message("doctor.no_roots_remedy"))  # fmt: skip
    with _acting_as(_user_of(here)):
        yield from checks.limits(config)
        yield from checks.data_folder(config)
        yield from checks.index(config)
        yield from model_checks.model(config)
        for section in config.watch:
            yield from checks.root(section)
        yield from _token(config)
        yield from forward_auth_checks.forward_auth(config)
        yield from lending_checks.lending(config)
    if here is not None:
        yield from _installed(config, here)
    yield from _daemon(config, address)


def _token(config: Config) -> Iterator[Finding]:
    if not tokens.is_always_required(config):
        return
    try:
        there = bool(config.web.token or tokens.stored(config.daemon.data_dir))
    except ComparImgError as error:
        yield Finding("token", Grade.WARNING, error.message, error.hint)
        return
    message = Message("doctor.token_asked" if there else "doctor.token_next")
    yield Finding(
        "token", Grade.GOOD if there else Grade.NOTE, message, None if there else Message("doctor.token_next_remedy")
    )


def _installed(config: Config, places: Places) -> Iterator[Finding]:
    """The unit: whether it is running, and whether it may write to the folders of the configuration."""
    properties = installation.state(places)
    state = properties.get("ActiveState", "")
    if state and state != "active":
        problem = Message("doctor.unit_state", state=state, result=properties.get("Result", ""))
        yield Finding("service", Grade.WRONG, problem, Message("doctor.unit_remedy"))
    elif state:
        yield Finding(
            "service", Grade.GOOD, Message("doctor.unit_active", time=properties.get("ActiveEnterTimestamp", ""))
        )
    if properties.get("NRestarts", "0") not in ("", "0"):
        yield Finding("service", Grade.WARNING, Message("doctor.unit_restarts", n=properties['NRestarts']),
                      Message("doctor.unit_remedy"))  # fmt: skip
    if not places.is_system:
        return
    text = places.unit.read_text("utf-8")
    allowed = set(unit.paths_of(text, "ReadWritePaths"))
    wanted = set(unit.path_lines(installation.writable_folders(config)))
    if wanted - allowed:
        folders = ", ".join(sorted(wanted - allowed))
        yield Finding("service", Grade.WRONG, Message("doctor.unit_unwritable", folders=folders.replace('-/', '/')),
                      Message("doctor.unit_unwritable_remedy"))  # fmt: skip


def _daemon(config: Config, address: str | None) -> Iterator[Finding]:
    """The daemon, if one answers; otherwise, whether one could listen."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)
    where = address or f"http://{f'[{host}]' if ':' in host else host}:{config.web.port}"
    api = Client(where, tokens.client_token(config), console_language())
    try:
        status = api.get("status")
        roots = list(api.pages("roots"))
    except NoDaemon:
        yield from _no_daemon(config, host, where)
        return
    except ComparImgError as error:
        yield Finding(
            "daemon", Grade.WARNING, Message("doctor.answers", address=where, problem=error.message), error.hint
        )
        return
    folder = config.daemon.data_dir
    if address is None and (not folder.exists() or os.access(folder, os.X_OK)) and pidfile.process_of(folder) is None:
        yield Finding("daemon", Grade.WRONG, Message("doctor.other_daemon", address=where),
                      Message("doctor.other_daemon_remedy"))  # fmt: skip
        return
    yield from _daemon_parts(status, where)
    yield from _daemon_roots(roots)


def _daemon_parts(status: Mapping[str, Any], where: str) -> Iterator[Finding]:
    """Whether every part of the daemon works, its version, and the problems that it reports."""
    dead = [name for name, alive in status["parts"].items() if not alive]
    if dead:
        yield Finding(
            "daemon",
            Grade.WRONG,
            Message("doctor.daemon_failing", address=where, parts=", ".join(dead)),
            Message("doctor.daemon_failing_remedy"),
        )
    else:
        yield Finding("daemon", Grade.GOOD, Message("doctor.daemon", version=status["version"], address=where))
    if status["version"] != VERSION:
        yield Finding("daemon", Grade.WARNING, Message("doctor.daemon_version", version=status['version'], own=VERSION),
                      Message("doctor.daemon_version_remedy"))  # fmt: skip
    if problems := status["totals"]["problems"]:
        yield Finding("daemon", Grade.NOTE, Message("doctor.problems", n=problems),
                      Message("doctor.problems_remedy"))  # fmt: skip


def _daemon_roots(roots: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether the watch roots are online, on the same disk as before, and watched as expected."""
    if not roots:
        yield Finding(
            "daemon", Grade.WARNING, Message("doctor.watches_nothing"), Message("doctor.watches_nothing_remedy")
        )
    for root in roots:
        if root["state"] != "online":
            yield Finding(f"folder {root['path']}", Grade.WRONG, Message("doctor.root_offline", problem=root['reason']),
                          Message("doctor.root_offline_remedy"))  # fmt: skip
        if root["away_images"]:
            message = Message("doctor.away_images", n=root["away_images"])
            yield Finding(f"folder {root['path']}", Grade.NOTE, message,
                          Message("doctor.away_images_remedy"))  # fmt: skip
        if root["state"] == "online" and root["note"]:
            yield Finding(f"folder {root['path']}", Grade.WARNING, Message("doctor.root_note", problem=root["note"]))


def _no_daemon(config: Config, host: str, where: str) -> Iterator[Finding]:
    yield Finding("daemon", Grade.NOTE, Message("doctor.no_daemon", address=where),
                  Message("doctor.no_daemon_remedy"))  # fmt: skip
    if not config.web.port:
        return
    try:
        socket.create_server((host, config.web.port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        yield Finding("daemon", Grade.WRONG, Message("doctor.cannot_listen", address=where, error=of_os_error(error)),
                      Message("doctor.cannot_listen_remedy"))  # fmt: skip


def _user_of(places: Places | None) -> str:
    """The user of an installed system service. "" if there is none, or if we may not switch to that user."""
    if places is None or os.geteuid() != 0:
        return ""
    return next(iter(unit.paths_of(places.unit.read_text("utf-8"), "User")), "")


@contextlib.contextmanager
def _acting_as(name: str) -> Iterator[None]:
    """Use the rights of another user for a while."""
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
