"""Brings the tables of an index to this program's shape: numbered migrations, with a copy of the index kept first."""

import contextlib
import logging
import sqlite3
from pathlib import Path

from peewee import DatabaseError, SqliteDatabase
from playhouse.migrations import MigrationError, Runner

from index.errors import StoreError
from index.upkeep.backups import Backups

log = logging.getLogger(__name__)

# Where the runner keeps what it has applied.
VERSIONS = "schema_migration"
MIGRATIONS = Path(__file__).parents[1] / "migrations"


def upgrade(database: SqliteDatabase, path: Path, backups: Backups | None = None) -> None:
    """Apply what is pending to the index at `path`; all of a migration or none of it. Closes the connection.

    An index that has tables already is copied to `backups` before. Raises StoreError for one of a newer version, for
    the file of another program and for a migration that fails, DatabaseError where the file cannot be used.
    """
    _require_ours(path)
    database.connect()
    try:
        runner = Runner(database, str(MIGRATIONS))
        status = runner.status()
        newer = [migration.name for migration in status if migration.path is None]
        if newer:
            raise StoreError(
                f"The index {path} was made by a newer ComparImg (it has {newer[0]}).",
                "Install that version again, or give this one another data folder.",
            )
        pending = [migration for migration in status if not migration.applied]
        if backups is not None and pending and len(pending) < len(status):
            _back_up(database, path, backups, pending[0].name)
        runner.up()
    except MigrationError as error:
        raise StoreError(f"The index {path} could not be migrated: {error}") from error
    finally:
        database.close()


def _require_ours(path: Path) -> None:
    """Raises StoreError for the database of another program: nothing of it has been changed."""
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and VERSIONS not in tables:
        raise StoreError(
            f"The file {path} is no index of ComparImg's, but another program's database.",
            "Move it away, or give ComparImg another data folder.",
        )


def _back_up(database: SqliteDatabase, path: Path, backups: Backups, migration: str) -> None:
    try:
        copy = backups.take(database.connection(), migration)
    except (sqlite3.Error, DatabaseError, OSError) as error:
        raise StoreError(f"The index {path} was not migrated, as no copy of it could be made first: {error}") from error
    log.info("kept a copy of the index before %s: %s", migration, copy)
