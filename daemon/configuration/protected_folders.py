"""The folders that any configuration protects, whichever configuration a program runs with.

A `comparimg.toml` in the current folder hides those of the user and the system from `config.find`. The folders that
these protect stay protected: every existing configuration is read, and also the indexes in the data folders that they
name, in which a service has recorded the protection of its configuration. Only the watched folders are read, so that a
mistake elsewhere in another configuration stops no command. A configuration that cannot be read might protect anything,
so it raises ConfigError.
"""

import os
import sqlite3
import tomllib
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from daemon.configuration.config import FILE_NAME, SYSTEM_FILE, default_data_dir, no_toml, text_of
from daemon.files.protected_paths import Claim
from index.errors import ConfigError
from index.messages import Message

INDEX: Final = "index.sqlite3"
# The data folder of a system service.
SYSTEM_DATA: Final = Path("/var/lib/comparimg")
BUSY_S: Final = 5.0


def claims(
    named: Path | None = None, own_data: Path | None = None, environ: Mapping[str, str] = os.environ
) -> list[Claim]:
    """What the configurations protect: the one `named`, $COMPARIMG_CONFIG, the current folder's, the user's, and the
    system's; and what the indexes in their data folders and in the default ones protect, except the one in `own_data`.

    Raises ConfigError if one of them exists and cannot be read.
    """
    all_claims = []
    own_share = {name: value for name, value in environ.items() if name == "XDG_DATA_HOME"}
    folders = [*(Path(default_data_dir(variables)) for variables in ({}, own_share, environ)), SYSTEM_DATA]
    for source in _sources(named, environ):
        table = _read(source)
        all_claims.append(Claim(str(source), _watch_roots(table, source)))
        folders += _data_folder(table, source)
    seen = set() if own_data is None else {os.path.realpath(own_data)}
    for folder in folders:
        real = os.path.realpath(os.path.expanduser(folder))
        if real not in seen and os.path.exists(os.path.join(real, INDEX)):
            all_claims.append(_claim_of_index(Path(real, INDEX)))
        seen.add(real)
    return all_claims


def _sources(named: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """The existing files, without duplicates."""
    folders = filter(None, (environ.get("XDG_CONFIG_HOME"), os.path.expanduser("~/.config")))
    of_user = [Path(folder, "comparimg", FILE_NAME) for folder in folders]
    seen = set()
    places = (named, environ.get("COMPARIMG_CONFIG"), Path.cwd() / FILE_NAME, *of_user, SYSTEM_FILE)
    for place in [place for place in places if place]:
        path = os.path.abspath(os.path.expanduser(place))
        if os.path.realpath(path) not in seen and os.path.exists(path):
            seen.add(os.path.realpath(path))
            yield Path(path)


def _read(source: Path) -> dict[str, Any]:
    try:
        text = text_of(source)
        return tomllib.loads(text)
    except ConfigError as error:
        raise _unreadable(source, error.problems[0]) from error
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(source, no_toml(error, text)) from error


def _watch_roots(table: Mapping[str, Any], source: Path) -> dict[bytes, bool]:
    sections = table.get("watch", [])
    if not isinstance(sections, list) or not all(isinstance(section, dict) for section in sections):
        raise _unreadable(source, Message("config.watch_no_list_here"))
    roots = {}
    for number, section in enumerate(sections):
        path, protected = section.get("path"), section.get("protected", False)
        if not isinstance(path, str) or not isinstance(protected, bool):
            raise _unreadable(source, Message("config.watch_incomplete", number=number))
        roots[os.fsencode(_absolute(path, source))] = protected
    return roots


def _data_folder(table: Mapping[str, Any], source: Path) -> list[Path]:
    section = table.get("daemon")
    given = section.get("data_dir") if isinstance(section, dict) else None
    return [Path(_absolute(given, source))] if isinstance(given, str) and given else []


def _absolute(path: str, source: Path) -> str:
    return os.path.abspath(os.path.join(source.parent, os.path.expanduser(path)))


def _claim_of_index(file: Path) -> Claim:
    """What the last configuration of the service with this index protected."""
    try:
        rows = _rows(file, "mode=ro") if file.stat().st_size else []
    except (sqlite3.Error, OSError) as error:
        # SQLite cannot lock the index without the right to write next to it. If no process has it open, no lock is
        # needed.
        if os.path.exists(f"{file}-wal"):
            raise _unreadable(file, Message("config.unreadable", error=error)) from error
        try:
            rows = _rows(file, "mode=ro&immutable=1")
        except sqlite3.Error as second:
            raise _unreadable(file, Message("config.unreadable", error=second)) from second
    return Claim(str(file), {bytes(path): bool(protected) for path, protected in rows})


def _rows(file: Path, mode: str) -> list[tuple[bytes, int]]:
    address = f"file:{urllib.parse.quote(os.fsencode(file))}?{mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as database:
        tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'root'"
        if database.execute(tables).fetchone() is None:
            return []
        return database.execute("SELECT path, protected FROM root WHERE watched").fetchall()


def _unreadable(source: Path, problem: Message) -> ConfigError:
    return ConfigError(str(source), [Message("config.protection_unknown", problem=problem)])
