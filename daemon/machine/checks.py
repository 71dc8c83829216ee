"""EDGE: the doctor's checks of a machine, its folders and an index. They change nothing.

Each check yields findings: the fact, its grade, and a remedy. No check needs the daemon.
"""

import contextlib
import os
import resource
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from daemon.components import component_versions
from daemon.configuration.config import Config, WatchSection
from daemon.files import trash_trust
from daemon.files.mounts import Mount, mount_of, read_mounts
from daemon.memory_budget import machine_mb
from daemon.terminal import bytes_in_words
from daemon.version import VERSION
from daemon.watching.watch_limits import max_user_watches, watches_of_others
from index.database.private_folder import OTHERS, OTHERS_WRITE, objection
from index.database.upkeep import lineage
from index.database.upkeep.backups import Backups
from index.database.upkeep.upgrade import MIGRATIONS
from index.imaging.decoding import decoders
from index.imaging.discovery.trash_places import NAME as TRASH
from index.messages import Message, hint_of, of_os_error, text

FREE_LITTLE_BYTES = 2 * 10**9
FREE_NONE_BYTES = 2 * 10**8
WATCHES_FEW = 65_536
WATCHES_REMEDY = (
    "echo fs.inotify.max_user_watches=1048576 | sudo tee /etc/sysctl.d/90-comparimg.conf; sudo sysctl --system"
)
FILES_FEW = 1_024
# Backups are made daily; two missed ones are no coincidence.
BACKUP_OLD_NS = 3 * 86_400 * 10**9
# How long the restoring of an earlier copy of the index is reported.
PUT_BACK_NS = 30 * 86_400 * 10**9
# File systems that ignore case, lack hard links, or both.
PLAIN_FILE_SYSTEMS = {"vfat", "msdos", "exfat", "fuseblk", "ntfs", "ntfs3", "fuse.exfat"}
# A date before the first release of this program. An earlier time means a wrong clock.
NO_EARLIER_S = 1_760_000_000


class Grade(StrEnum):
    """The grade of a finding. Only WRONG makes the doctor fail."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` is the thing checked, `remedy` what to do."""

    about: str
    grade: Grade
    message: Message
    remedy: Message | None = None


def program() -> Iterator[Finding]:
    """The versions of the program, and optional packages."""
    versions = component_versions()
    message = Message(
        "doctor.versions", version=VERSION, python=versions.pop("Python"), sqlite=versions.pop("SQLite")
    )  # fmt: skip
    yield Finding("program", Grade.GOOD, message)
    if decoders.is_installed(decoders.HEIF):
        versions["libheif"] = decoders.heif_library_version()
    yield Finding("program", Grade.GOOD, text(", ".join(f"{name} {version}" for name, version in versions.items())))
    if not decoders.is_installed(decoders.HEIF):
        remedy = Message("doctor.no_heif_remedy")
        yield Finding("program", Grade.NOTE, Message("doctor.no_heif"), remedy)


def clock() -> Iterator[Finding]:
    now_s = time.time()
    if now_s < NO_EARLIER_S:
        message = Message("doctor.clock_behind", date=time.strftime("%Y-%m-%d", time.gmtime(now_s)))
        yield Finding("clock", Grade.WRONG, message, Message("doctor.clock_behind_remedy"))
    else:
        yield Finding("clock", Grade.GOOD, text(time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now_s))))


def limits(config: Config) -> Iterator[Finding]:
    """The limits of the system for one user."""
    watches = max_user_watches()
    if watches is None:
        yield Finding("limits", Grade.WARNING, Message("doctor.no_inotify"))
    elif watches < WATCHES_FEW:
        yield Finding(
            "limits", Grade.WARNING, Message("doctor.few_watches", n=watches),
            text(WATCHES_REMEDY),
        )  # fmt: skip
    else:
        message = Message("doctor.watches", n=watches, others=watches_of_others())
        yield Finding("limits", Grade.GOOD, message)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < FILES_FEW:
        yield Finding("limits", Grade.WARNING, Message("doctor.few_files", n=files), Message("doctor.few_files_remedy"))
    workers, memory = config.daemon.workers, machine_mb() * 2**20
    needed = workers * config.daemon.memory_mb * 2**20
    if needed > 2 * memory:
        yield Finding(
            "limits", Grade.NOTE,
            Message("doctor.memory", n=workers, needed=bytes_in_words(needed), memory=bytes_in_words(memory)),
            Message("doctor.memory_remedy"),
        )  # fmt: skip


def data_folder(config: Config) -> Iterator[Finding]:
    """The data folder: writable, local, private, and with free space."""
    folder = config.daemon.data_dir
    about = f"data folder {folder}"
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    mount = mount_of(os.fsencode(os.path.realpath(existing)), read_mounts())
    if mount is not None and mount.is_remote:
        yield Finding(
            about, Grade.WRONG, Message("doctor.remote_data", kind=mount.kind),
            Message("doctor.remote_data_remedy"),
        )  # fmt: skip
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        remedy = Message("doctor.data_unwritable_remedy")
        yield Finding(about, Grade.WRONG, Message("doctor.data_unwritable"), remedy)
    yield from _space(about, existing)
    yield from _rights(about, folder)


def _rights(about: str, folder: Path) -> Iterator[Finding]:
    """Whether other users can read a folder, or even replace the index in it."""
    if not folder.exists() or not folder.stat().st_mode & OTHERS:
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    problem = Message("doctor.others_write" if mode & OTHERS_WRITE else "doctor.others_look", mode=f"{mode:o}")
    try:
        reason = objection(folder)
    except OSError as error:
        reason = of_os_error(error)
    remedy = Message("doctor.chmod_or_start", folder=folder)
    if reason is not None:
        problem = Message("doctor.others_because", problem=problem, reason=reason)
        remedy = text(f"chmod 700 {folder}")
    yield Finding(about, Grade.WARNING if mode & OTHERS_WRITE else Grade.NOTE, problem, remedy)


def index(config: Config) -> Iterator[Finding]:
    """The file of the index: whether it is intact, of this version, and backed up."""
    file = config.daemon.data_dir / "index.sqlite3"
    about = f"index {file.name}"
    if file.parent.exists() and not os.access(file.parent, os.X_OK, effective_ids=True):
        yield Finding(about, Grade.WARNING, Message("doctor.index_hidden"), Message("doctor.index_hidden_remedy"))
        return
    if not file.exists():
        yield Finding(about, Grade.NOTE, Message("doctor.no_index"))
        return
    try:
        with closing(sqlite3.connect(f"file:{_escaped(file)}?mode=ro", uri=True, timeout=10)) as database:
            (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
            known = {name for (name,) in database.execute("SELECT name FROM schema_migration")}
            (images,) = database.execute("SELECT count(*) FROM image").fetchone()
            (newest_ns,) = database.execute("SELECT coalesce(max(indexed_ns), 0) FROM image").fetchone()
            put_back = lineage.last_put_back(database)
    except sqlite3.Error as error:
        remedy = Message("doctor.index_unreadable_remedy")
        yield Finding(about, Grade.WRONG, Message("doctor.index_unreadable", error=error), remedy)
        return
    if answer != "ok":
        remedy = Message("doctor.index_damaged_remedy")
        yield Finding(about, Grade.WRONG, Message("doctor.index_damaged", problem=answer), remedy)
        return
    size = bytes_in_words(file.stat().st_size)
    yield Finding(about, Grade.GOOD, Message("doctor.index_whole", n=images, size=size))
    ours = {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}
    if newer := sorted(known - ours):
        remedy = Message("doctor.index_newer_remedy")
        yield Finding(about, Grade.WRONG, Message("doctor.index_newer", migration=newer[0]), remedy)
    if older := sorted(ours - known):
        yield Finding(about, Grade.NOTE, Message("doctor.index_older", migrations=", ".join(older)))
    if put_back is not None and time.time_ns() - put_back[0] < PUT_BACK_NS:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(put_back[0] / 1e9))
        yield Finding(
            about,
            Grade.NOTE,
            Message("doctor.put_back", time=when, problem=put_back[1]),
            Message("doctor.put_back_remedy"),
        )
    if newest_ns > time.time_ns() + 86_400 * 10**9:
        yield Finding("clock", Grade.WRONG, Message("doctor.clock_set_back"), Message("doctor.clock_set_back_remedy"))
    yield from _backups(Backups(config.daemon.data_dir))


def _backups(backups: Backups) -> Iterator[Finding]:
    newest_ns = backups.newest_ns()
    if newest_ns is None:
        yield Finding("backups", Grade.NOTE, Message("doctor.no_copies"))
    elif time.time_ns() - newest_ns > BACKUP_OLD_NS:
        days = (time.time_ns() - newest_ns) // (86_400 * 10**9)
        remedy = Message("doctor.copies_old_remedy")
        yield Finding("backups", Grade.WARNING, Message("doctor.copies_old", n=days), remedy)
    else:
        yield Finding(
            "backups",
            Grade.GOOD,
            Message("doctor.copies", n=len(backups.newest_first()), folder=backups.folder),
        )


def root(section: WatchSection) -> Iterator[Finding]:
    """One watch root, with the rights of the current user."""
    about = f"folder {os.fsdecode(section.path).encode('utf-8', 'replace').decode()}"
    try:
        status = os.stat(section.path)
        with os.scandir(section.path) as listing:
            names = [entry.name for _, entry in zip(range(1000), listing, strict=False)]
    except OSError as error:
        remedy = Message("doctor.root_unlistable_remedy")
        yield Finding(about, Grade.WRONG, Message("doctor.root_unlistable", error=of_os_error(error)), remedy)
        return
    if not stat.S_ISDIR(status.st_mode) or not names:
        remedy = Message("doctor.root_empty_remedy")
        yield Finding(about, Grade.WARNING, Message("doctor.root_empty"), remedy)
    mounts = read_mounts()
    mount = mount_of(os.path.realpath(section.path), mounts)
    kind = mount.kind if mount is not None else "unknown"
    entries = "doctor.entries_or_more" if len(names) == 1000 else "doctor.entries"
    yield Finding(about, Grade.GOOD, Message(entries, n=len(names), kind=kind))
    yield from _watching(about, section, mount)
    yield from _writing(about, section, mount, names)


def _watching(about: str, section: WatchSection, mount: Mount | None) -> Iterator[Finding]:
    if mount is not None and mount.is_remote and section.mode != "poll":
        message = Message("doctor.unwatched_kind", kind=mount.kind)
        grade = Grade.WARNING if section.mode == "native" else Grade.NOTE
        yield Finding(
            about, grade, message, Message("doctor.unwatched_kind_remedy") if section.mode == "native" else None
        )


def _writing(about: str, section: WatchSection, mount: Mount | None, names: list[bytes]) -> Iterator[Finding]:
    """Whether the files of a root can be moved, linked and trashed."""
    if section.protected:
        return
    remedy = Message("doctor.root_unwritable_remedy")
    if os.statvfs(section.path).f_flag & os.ST_RDONLY:
        yield Finding(about, Grade.WARNING, Message("doctor.root_read_only"), remedy)
    elif not os.access(section.path, os.W_OK | os.X_OK, effective_ids=True):
        yield Finding(about, Grade.WARNING, Message("doctor.root_unwritable"), remedy)
    else:
        yield from _space(about, Path(os.fsdecode(section.path)))
    with contextlib.suppress(OSError):
        if why := trash_trust.objection(section.path, os.path.join(section.path, TRASH)):
            yield Finding(about, Grade.WARNING, Message("doctor.trash_not_used", problem=why), hint_of(why))
    if mount is not None and mount.kind in PLAIN_FILE_SYSTEMS:
        yield Finding(about, Grade.NOTE, Message("doctor.no_hard_links", kind=mount.kind))
    elif _folds_case(section.path, names):
        yield Finding(about, Grade.NOTE, Message("doctor.folds_case"))


def _folds_case(folder: bytes, names: list[bytes]) -> bool:
    """Whether a folder ignores case. This is tested with the first name that has letters."""
    for name in names:
        other = name.swapcase()
        if other != name and other not in names:
            try:
                return os.path.samestat(os.lstat(os.path.join(folder, name)), os.lstat(os.path.join(folder, other)))
            except OSError:
                return False
    return False


def _space(about: str, folder: Path) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(about, Grade.WARNING, Message("doctor.space_unknown", error=of_os_error(error)))
        return
    if free < FREE_LITTLE_BYTES:
        grade = Grade.WRONG if free < FREE_NONE_BYTES else Grade.WARNING
        yield Finding(about, grade, Message("doctor.space", free=bytes_in_words(free)), Message("doctor.space_remedy"))


def _escaped(file: Path) -> str:
    return str(file).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
