"""Sets up watched folders and destinations for the page and REST: checks them, stores them, uses them at once.

comparimg.toml is never written. Its protection stays in force: protection can be added here, and only protection that
was added here can be removed here. Any thread.
"""

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from daemon.configuration import browsing
from daemon.configuration.config import Config, WatchSection, destination_problem, root_problem
from daemon.configuration.overridden import overridden, section_of
from daemon.live_settings import LiveSettings
from index.database.records import folder_overrides, folders, images, matches, temporary_roots
from index.database.records.folder_overrides import RootOverride
from index.database.records.images import WatchRoot
from index.database.store import Store
from index.errors import ComparImgError, NotFound, UsageError
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message, of_os_error
from index.paths import display
from webui.services import Destination, FolderListing, RootSetting

# Set by systemd for each process of a unit.
UNDER_SYSTEMD: Final = "INVOCATION_ID"

# With ProtectHome=yes in a unit these seem empty and inaccessible.
HOMES: Final = (b"/home", b"/root", b"/run/user")

Overrides = dict[bytes, RootOverride]


class FolderSetup:
    """The folders of one running service. `changed` makes the parts that work on files use the new folders."""

    def __init__(
        self, store: Store, settings: LiveSettings, changed: Callable[[], None], environ: Mapping[str, str] = os.environ
    ) -> None:
        self._store = store
        self._settings = settings
        self._changed = changed
        self._environ = environ

    # Watched folders

    def roots(self) -> Mapping[bytes, RootSetting]:
        """How each watched folder is set up, by its path."""
        with self._store.read() as database:
            overrides = folder_overrides.read_roots(database)
        config = self._settings.configured()
        configured = {section.path: section for section in config.watch}
        return {
            section.path: _root_setting(
                section, configured.get(section.path), config.watch_origin, overrides.get(section.path)
            )
            for section in self._settings.effective().watch
        }

    def add_root(self, path: bytes, values: Mapping[str, Any]) -> bytes:
        """Watch a folder from now on. Returns its path without links. Raises UsageError."""
        real = self._existing_folder(path)
        checked = folder_overrides.checked_values(values)

        def add(overrides: Overrides) -> None:
            if any(os.path.realpath(section.path) == real for section in self._settings.effective().watch):
                raise ComparImgError("root.watched_already", path=display(real))
            overrides[real] = RootOverride(True, checked)
            self._check_root(section_of(real, checked))

        self._change(add)
        return real

    def change_root(self, path: bytes, changes: Mapping[str, Any]) -> None:
        """Change how a folder is watched; None restores the value of the file, or the default. Raises NotFound,
        UsageError, and ComparImgError for an attempt to remove protection that was not added here."""
        checked = folder_overrides.checked_values({key: value for key, value in changes.items() if value is not None})

        def change(overrides: Overrides) -> None:
            section = self._section(path)
            configured = next((one for one in self._settings.configured().watch if one.path == path), None)
            before = overrides.get(path) or RootOverride(False, {})
            values = {key: value for key, value in before.values.items() if key not in changes} | checked
            if checked.get("protected") is False:
                if configured is not None and configured.protected:
                    raise ComparImgError("root.protection_configured", path=display(path), file=self._file())
                values.pop("protected", None)
            overrides[path] = RootOverride(before.added and configured is None, values)
            given = _given(configured) | values if configured is not None else values
            self._check_root(section_of(section.path, given))

        self._change(change)

    def remove_root(self, path: bytes) -> None:
        """Stop watching a folder; no file is touched. Raises NotFound, and ComparImgError for a folder that was not
        added here."""

        def remove(overrides: Overrides) -> None:
            self._section(path)
            config = self._settings.configured()
            if any(section.path == path for section in config.watch):
                if config.watch_origin == "start":
                    raise ComparImgError("root.given_at_start", path=display(path))
                raise ComparImgError("root.configured", path=display(path), file=self._file())
            del overrides[path]

        self._change(remove)

    def add_temporary(self, path: bytes, recursive: bool) -> bytes:
        """Index a folder for a limited search, without watching it. Returns its path without links. A folder that is
        watched already, or is inside a watched one, stays as it is. Raises UsageError."""
        real = self._existing_folder(path)
        if problem := root_problem(section_of(real, {"recursive": recursive}), self._data_dir):
            raise UsageError("folders.unusable", path=display(real), problem=problem, field="folder")

        def add(database: Any) -> None:
            matches.mark_stale(database, temporary_roots.drop_unused(database))
            if real in temporary_roots.depths(database) or not folders.is_indexed(database, real):
                temporary_roots.add(database, real, recursive)

        self._store.write(add)
        return real

    def browse(self, under: bytes) -> FolderListing:
        """The folders that are offered inside a folder, or that complete a path. Raises UsageError."""
        config = self._settings.effective()
        return browsing.listing(under, config.web.browse, self._data_dir, [section.path for section in config.watch])

    def write_problem(self, path: bytes) -> Message | None:
        """Why the service cannot move or replace files in a folder, with the remedy; None if it can."""
        if os.access(path, os.W_OK | os.X_OK, effective_ids=True):
            return None
        try:
            is_read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        except OSError:
            return None
        if is_read_only and UNDER_SYSTEMD in self._environ:
            return Message("folders.read_only_unit", path=display(path))
        if is_read_only:
            return Message("folders.read_only_disk", path=display(path))
        return Message("folders.not_writable", path=display(path), user=getpass.getuser())

    # Destinations

    def destinations(self) -> Sequence[Destination]:
        """The folders that images can be moved to, sorted by name."""
        configured = self._settings.configured().sort.destinations
        return [
            Destination(name, path, "file" if name in configured else "page")
            for name, path in sorted(self._settings.destinations().items())
        ]

    def add_destination(self, name: str, path: bytes, create: bool) -> Destination:
        """Add a named folder that images can be moved to. With `create` it is created if it is missing and the folder
        above it exists. Raises UsageError."""
        if "/" in name or not name.isprintable() or name != name.strip():
            raise UsageError("destination.no_name", name=name, field="name")
        real = self._folder_to_be(path) if create else self._existing_folder(path)
        config = self._settings.effective()
        if name in config.sort.destinations:
            raise ComparImgError("destination.taken", name=name)
        if problem := destination_problem(real, self._data_dir, config.watch):
            raise UsageError("folders.unusable", path=display(real), problem=problem, field="path")
        if create:
            _make_folder(real)

        def add(database: Any) -> None:
            added = folder_overrides.read_destinations(database)
            folder_overrides.write_destinations(database, {**added, name: real})

        self._store.write(add)
        return Destination(name, real, "page")

    def remove_destination(self, name: str) -> None:
        """Forget a destination; its folder and the files in it stay. Raises NotFound, and ComparImgError for a
        destination of the file."""

        def remove(database: Any) -> None:
            added = folder_overrides.read_destinations(database)
            if name in self._settings.configured().sort.destinations:
                raise ComparImgError("destination.configured", name=name, file=self._file())
            if added.pop(name, None) is None:
                raise NotFound("destination.unknown", name=name)
            folder_overrides.write_destinations(database, added)

        self._store.write(remove)

    # Shared by both

    @property
    def _data_dir(self) -> bytes:
        return os.fsencode(self._settings.configured().daemon.data_dir)

    def _file(self) -> str:
        source = self._settings.configured().source
        return "comparimg.toml" if source is None else str(source)

    def _section(self, path: bytes) -> WatchSection:
        for section in self._settings.effective().watch:
            if section.path == path:
                return section
        raise NotFound("root.unknown", path=display(path))

    def _existing_folder(self, path: bytes) -> bytes:
        """The path of a folder that may be added, without links. Raises UsageError."""
        real = self._allowed(path)
        try:
            with os.scandir(real):
                return real
        except (FileNotFoundError, PermissionError) as error:
            if UNDER_SYSTEMD in self._environ and any(_hides(home, real) for home in HOMES):
                raise UsageError("folders.hidden_by_unit", path=display(path), field="path") from error
            if isinstance(error, PermissionError):
                raise _unlistable(path, error) from error
            raise UsageError("folders.missing", path=display(path), field="path") from error
        except NotADirectoryError as error:
            raise UsageError("folders.no_folder", path=display(path), field="path") from error
        except OSError as error:
            raise _unlistable(path, error) from error

    def _folder_to_be(self, path: bytes) -> bytes:
        """The path of a folder that may be created inside an existing one. Raises UsageError."""
        real = self._allowed(path)
        if not os.path.isdir(os.path.dirname(real)):
            raise UsageError("folders.missing", path=display(os.path.dirname(real)), field="path")
        return real

    def _allowed(self, path: bytes) -> bytes:
        if not path.startswith(b"/") or b"\0" in path:
            raise UsageError("job.not_absolute", path=display(path), field="path")
        real = os.path.realpath(path)
        config = self._settings.configured()
        if problem := browsing.watching_problem(real, config.web.browse, self._data_dir):
            raise UsageError(problem, field="path")
        return real

    def _check_root(self, section: WatchSection) -> None:
        """Raises UsageError for a folder that cannot be watched in this way. An unprotected folder inside a protected
        one would be exempt from its protection; only the file may say that."""
        if problem := root_problem(section, self._data_dir):
            raise UsageError("folders.unusable", path=display(section.path), problem=problem, field="path")
        configured = {one.path for one in self._settings.configured().watch}
        if section.protected or section.path in configured:
            return
        for outer in self._settings.effective().watch:
            if (
                outer.protected
                and outer.path != section.path
                and is_at_or_below(section.path, os.path.realpath(outer.path))
            ):
                raise UsageError("root.in_protected", path=display(section.path), outer=display(outer.path),
                                 field="protected")  # fmt: skip

    def _change(self, change: Callable[[Overrides], None]) -> None:
        """Change the overrides and the watched folders in the index in one transaction, then use them."""

        def write(database: Any) -> None:
            overrides = folder_overrides.read_roots(database)
            change(overrides)
            folder_overrides.write_roots(database, overrides)
            config = overridden(
                self._settings.configured(),
                folder_overrides.read_roots(database),
                folder_overrides.read_destinations(database),
            )
            matches.mark_stale(database, images.sync_roots(database, watch_roots(config)))

        self._store.write(write)
        self._changed()


def watch_roots(config: Config) -> list[WatchRoot]:
    """The watched folders of a configuration, in the form in which the index keeps them."""
    return [WatchRoot(section.path, section.protected, section.priority) for section in config.watch]


def _root_setting(
    section: WatchSection, configured: WatchSection | None, configured_by: str, override: RootOverride | None
) -> RootSetting:
    by_file = configured is not None and configured.protected
    return RootSetting(
        path=section.path,
        origin="page" if configured is None else configured_by,
        recursive=section.recursive,
        exclude=tuple(map(os.fsdecode, section.exclude)),
        priority=section.priority,
        mode=section.mode,
        protected_by="file" if by_file else "page" if section.protected else "",
        changed=() if configured is None or override is None else tuple(sorted(override.values)),
    )


def _hides(home: bytes, path: bytes) -> bool:
    """Whether a path is in a home folder that cannot be listed."""
    if not is_at_or_below(path, home):
        return False
    try:
        return not os.listdir(home)
    except OSError:
        return True


def _unlistable(path: bytes, error: OSError) -> UsageError:
    return UsageError("folders.unlistable", path=display(path), error=of_os_error(error), field="path")


def _given(section: WatchSection) -> dict[str, Any]:
    return {
        "recursive": section.recursive,
        "exclude": tuple(map(os.fsdecode, section.exclude)),
        "protected": section.protected,
        "priority": section.priority,
        "mode": section.mode,
    }


def _make_folder(path: bytes) -> None:
    """Create a folder if it is missing, and sync it to the disk. Raises UsageError."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise UsageError("folders.no_folder", path=display(path), field="path") from None
        return
    except OSError as error:
        raise UsageError("folders.not_made", path=display(path), error=of_os_error(error), field="path") from error
    parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
