"""EDGE: the configuration in effect, for programs next to the service: the file, and the changes made on the page.

The index is only read. Root reads it with the rights of its owner: SQLite may have to create files next to it, which
the service must be able to use.
"""

import contextlib
import logging
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import peewee

from daemon.configuration import browsing
from daemon.configuration.config import Config
from daemon.configuration.overridden import overridden
from daemon.configuration.protected_folders import INDEX
from index.database.records.folder_overrides import read_destinations, read_roots
from index.errors import StoreError

log = logging.getLogger(__name__)

BUSY_S = 10


def effective(config: Config) -> Config:
    """The configuration with the watched folders and destinations that were added or changed while a service ran.

    If there is no index, nothing is added. Folders that the page may not add are left out, whatever the index says: it
    belongs to the service, and root may use the result. Raises StoreError if the index cannot be read.
    """
    file = Path(os.path.realpath(config.daemon.data_dir), INDEX)
    try:
        owner = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return config
    except OSError as error:
        raise StoreError("config.overrides_unreadable", file=file, error=error.strerror or str(error)) from error
    if not owner.st_size:
        return config
    address = f"file:{urllib.parse.quote(os.fsencode(file))}?mode=ro"
    database = peewee.SqliteDatabase(address, uri=True, timeout=BUSY_S)
    try:
        with _acting_as(owner.st_uid, owner.st_gid):
            roots, destinations = read_roots(database), read_destinations(database)
    except peewee.DatabaseError as error:
        raise StoreError("config.overrides_unreadable", file=file, error=error) from error
    finally:
        database.close()
    given = {section.path for section in config.watch}
    return overridden(
        config,
        {path: override for path, override in roots.items() if path in given or _may_be_added(path, config)},
        {name: path for name, path in destinations.items() if _may_be_added(path, config)},
    )


def _may_be_added(path: bytes, config: Config) -> bool:
    data_dir = os.fsencode(config.daemon.data_dir)
    problem = browsing.watching_problem(os.path.realpath(path), config.web.browse, data_dir)
    if problem is not None:
        log.warning("the settings in the index for %s are ignored: %s", os.fsdecode(path), problem)
    return problem is None


@contextlib.contextmanager
def _acting_as(user: int, group: int) -> Iterator[None]:
    """As root, use the rights of another user temporarily."""
    own_user, own_group = os.getresuid()[1], os.getresgid()[1]
    if own_user != 0 or user == 0:
        yield
        return
    os.setegid(group)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(own_user)
        os.setegid(own_group)
