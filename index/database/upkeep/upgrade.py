"""Migrates an index to the tables of this version: numbered migrations, after a backup of the index."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from peewee import DatabaseError, SqliteDatabase
from playhouse.migrations import MigrationError, Runner

from index.database.upkeep.backups import Backups
from index.errors import StoreError

log = logging.getLogger(__name__)
RUNNER_LOG = logging.getLogger("peewee.migrations")

# The table of applied migrations.
VERSIONS = "schema_migration"
MIGRATIONS = Path(__file__).parents[1] / "migrations"


def upgrade(database: SqliteDatabase, path: Path, backups: Backups | None = None) -> None:
    """Apply pending migrations to the index at `path`, each in one transaction. Closes the connection.

    An index that already has tables is first backed up to `backups`. Raises StoreError for an index of a newer version,
    for the file of another program, and for a migration that fails. Raises DatabaseError if the file cannot be used.
    """
    _require_ours(path)
    database.connect()
    try:
        runner = Runner(database, str(MIGRATIONS))
        status = runner.status()
        newer = [migration.name for migration in status if migration.path is None]
        if newer:
            raise StoreError("index.newer", path=path, migration=newer[0])
        pending = [migration for migration in status if not migration.applied]
        if not pending:
            return
        if backups is not None and len(pending) < len(status):
            _back_up(database, path, backups, pending[0].name)
        with _quietly() if len(pending) == len(status) else contextlib.nullcontext():
            runner.up()
    except MigrationError as error:
        raise StoreError("index.not_migrated", path=path, error=error) from error
    finally:
        database.close()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the log line for each migration. For a new index they all run, and would hide the address of the
    page."""
    before = RUNNER_LOG.level
    RUNNER_LOG.setLevel(logging.WARNING)
    try:
        yield
    finally:
        RUNNER_LOG.setLevel(before)


def _require_ours(path: Path) -> None:
    """Raises StoreError for the database of another program, before anything in it is changed."""
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and VERSIONS not in tables:
        raise StoreError("index.not_ours", path=path)


def _back_up(database: SqliteDatabase, path: Path, backups: Backups, migration: str) -> None:
    try:
        copy = backups.create(database.connection(), migration)
    except (sqlite3.Error, DatabaseError, OSError) as error:
        raise StoreError("index.not_copied", path=path, error=error) from error
    log.info("kept a copy of the index before %s: %s", migration, copy)
