"""EDGE: what can be wrong with a machine, its folders and an index, looked at without changing anything.

Each check gives findings: what was seen, how good that is, and what to do where it is not. None needs the daemon.
"""

import os
import resource
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib import util
from pathlib import Path

from daemon.configuration.config import Config, WatchSection
from daemon.files.mounts import Mount, mount_of, read_mounts
from daemon.terminal import bytes_in_words
from daemon.version import VERSION
from daemon.watching.watch_limits import max_user_watches, watches_of_others
from index.private_folder import OTHERS, OTHERS_WRITE, why_left
from index.upkeep import lineage
from index.upkeep.backups import Backups
from index.upkeep.upgrade import MIGRATIONS

FREE_LITTLE_BYTES = 2 * 10**9
FREE_NONE_BYTES = 2 * 10**8
WATCHES_FEW = 65_536
FILES_FEW = 1_024
# A copy is made daily; two missed ones are no accident.
BACKUP_OLD_NS = 3 * 86_400 * 10**9
# For how long it is of interest that an earlier copy of the index was put back.
PUT_BACK_NS = 30 * 86_400 * 10**9
# Without names that differ in case only, without links, or both.
PLAIN_FILE_SYSTEMS = {"vfat", "msdos", "exfat", "fuseblk", "ntfs", "ntfs3", "fuse.exfat"}
# This program is younger than any earlier date.
NO_EARLIER_S = 1_760_000_000


class Grade(StrEnum):
    """How good a finding is. Only what is wrong makes the doctor fail."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` is what was looked at, `remedy` what to do about it."""

    about: str
    grade: Grade
    told: str
    remedy: str = ""


def program() -> Iterator[Finding]:
    """The versions, and what the user may bring besides."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "program", Grade.GOOD, f"ComparImg {VERSION}, Python {python}, SQLite {sqlite3.sqlite_version} (one writer)"
    )
    if util.find_spec("pillow_heif") is None:
        remedy = (
            "If its licence suits you (docs/dependencies.md): .venv/bin/pip install pillow-heif in the checkout, then"
            " comparimg-ctl service install again; for the container --build-arg EXTRAS=pillow-heif."
        )
        yield Finding("program", Grade.NOTE, "HEIC files are not read: pillow-heif is not installed", remedy)


def clock() -> Iterator[Finding]:
    now_s = time.time()
    if now_s < NO_EARLIER_S:
        told = f"the clock says {time.strftime('%Y-%m-%d', time.gmtime(now_s))}, which is long past"
        yield Finding("clock", Grade.WRONG, told, "Set it; timedatectl set-ntp true keeps it right.")
    else:
        yield Finding("clock", Grade.GOOD, time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now_s)))


def limits(config: Config) -> Iterator[Finding]:
    """What the system lets one user have."""
    watches = max_user_watches()
    if watches is None:
        yield Finding("limits", Grade.WARNING, "there is no inotify: every folder is walked again and again")
    elif watches < WATCHES_FEW:
        yield Finding(
            "limits", Grade.WARNING, f"one user may watch {watches} folders only, all programs together",
            "echo fs.inotify.max_user_watches=1048576 | sudo tee /etc/sysctl.d/90-comparimg.conf; sudo sysctl --system",
        )  # fmt: skip
    else:
        told = f"{watches} folders may be watched, of which other programs take {watches_of_others()}"
        yield Finding("limits", Grade.GOOD, told)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < FILES_FEW:
        yield Finding("limits", Grade.WARNING, f"{files} files may be open", "Raise it: ulimit -n 4096.")
    workers, memory = config.daemon.workers, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = workers * config.daemon.memory_mb * 2**20
    if needed > 2 * memory:
        yield Finding(
            "limits", Grade.NOTE,
            f"{workers} decoding processes may take {bytes_in_words(needed)} at worst, of {bytes_in_words(memory)}",
            "Lower daemon.workers or daemon.memory_mb where memory is short: few pictures need much.",
        )  # fmt: skip


def data_folder(config: Config) -> Iterator[Finding]:
    """Where the index lies: there, ours, local, and with room."""
    folder = config.daemon.data_dir
    about = f"data folder {folder}"
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    mount = mount_of(os.fsencode(os.path.realpath(existing)), read_mounts())
    if mount is not None and mount.is_remote:
        yield Finding(
            about, Grade.WRONG, f"it lies on a network file system ({mount.kind}), where SQLite's log is not safe",
            "Name a folder on a local disk with daemon.data_dir.",
        )  # fmt: skip
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        remedy = "Run the doctor as the user of the service, or give the folder to it."
        yield Finding(about, Grade.WRONG, "it cannot be written by this user", remedy)
    yield from _space(about, existing)
    yield from _rights(about, folder)


def _rights(about: str, folder: Path) -> Iterator[Finding]:
    """Whether others may look into it, or even put another index there."""
    if not folder.exists() or not folder.stat().st_mode & OTHERS:
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    may = "write into it" if mode & OTHERS_WRITE else "look into it"
    try:
        reason = why_left(folder)
    except OSError as error:
        reason = error.strerror or "it cannot be listed"
    told = f"others may {may} (mode {mode:o})" + (f", and the service leaves it so: {reason}" if reason else "")
    remedy = f"chmod 700 {folder}" + ("" if reason else "; the next start of the service does so")
    yield Finding(about, Grade.WARNING if mode & OTHERS_WRITE else Grade.NOTE, told, remedy)


def index(config: Config) -> Iterator[Finding]:
    """The file itself: whole, of this version, backed up."""
    file = config.daemon.data_dir / "index.sqlite3"
    about = f"index {file.name}"
    if file.parent.exists() and not os.access(file.parent, os.X_OK, effective_ids=True):
        yield Finding(about, Grade.WARNING, "it may not be looked at by this user", "Ask as the user of the service.")
        return
    if not file.exists():
        yield Finding(about, Grade.NOTE, "there is none yet: the first start makes it")
        return
    try:
        with closing(sqlite3.connect(f"file:{_escaped(file)}?mode=ro", uri=True, timeout=10)) as database:
            (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
            known = {name for (name,) in database.execute("SELECT name FROM schema_migration")}
            (images,) = database.execute("SELECT count(*) FROM image").fetchone()
            (newest_ns,) = database.execute("SELECT coalesce(max(indexed_ns), 0) FROM image").fetchone()
            put_back = lineage.put_back(database)
    except sqlite3.Error as error:
        remedy = "Start the service: it restores what is damaged from the newest copy."
        yield Finding(about, Grade.WRONG, f"it cannot be read: {error}", remedy)
        return
    if answer != "ok":
        remedy = "Start the service anew: it restores the index from the newest copy."
        yield Finding(about, Grade.WRONG, f"it is damaged: {answer}", remedy)
        return
    size = bytes_in_words(file.stat().st_size)
    yield Finding(about, Grade.GOOD, f"whole, {images} images, {size}")
    ours = {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}
    if newer := sorted(known - ours):
        remedy = "Install that version again, or put the copy of before in its place (docs/install.md)."
        yield Finding(about, Grade.WRONG, f"a newer ComparImg made it (it has {newer[0]})", remedy)
    if older := sorted(ours - known):
        yield Finding(about, Grade.NOTE, f"the next start brings it to this version ({', '.join(older)}), after a copy")
    if put_back is not None and time.time_ns() - put_back[0] < PUT_BACK_NS:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(put_back[0] / 1e9))
        yield Finding(about, Grade.NOTE, f"{when}: {put_back[1]}", "comparimg-ctl jobs lists the jobs that were ended.")
    if newest_ns > time.time_ns() + 86_400 * 10**9:
        yield Finding("clock", Grade.WRONG, "it is set back: the index holds what was done later", "Set the clock.")
    yield from _backups(Backups(config.daemon.data_dir))


def _backups(backups: Backups) -> Iterator[Finding]:
    newest_ns = backups.newest_ns()
    if newest_ns is None:
        yield Finding("copies of the index", Grade.NOTE, "there is none yet: the service makes one a day")
    elif time.time_ns() - newest_ns > BACKUP_OLD_NS:
        days = (time.time_ns() - newest_ns) // (86_400 * 10**9)
        remedy = "See the log for why: most often the disk is full."
        yield Finding("copies of the index", Grade.WARNING, f"the newest is {days} days old", remedy)
    else:
        yield Finding("copies of the index", Grade.GOOD, f"{len(backups.newest_first())} in {backups.folder}")


def root(section: WatchSection) -> Iterator[Finding]:
    """One watched folder, as the user who asks may use it."""
    about = f"folder {os.fsdecode(section.path).encode('utf-8', 'replace').decode()}"
    try:
        status = os.stat(section.path)
        with os.scandir(section.path) as listing:
            names = [entry.name for _, entry in zip(range(1000), listing, strict=False)]
    except OSError as error:
        remedy = "Mount it, or mend path in comparimg.toml; what is known of its images is kept until then."
        yield Finding(about, Grade.WRONG, f"it cannot be listed: {error.strerror}", remedy)
        return
    if not stat.S_ISDIR(status.st_mode) or not names:
        remedy = "If a disk belongs there, mount it; else put pictures in it."
        yield Finding(about, Grade.WARNING, "it is empty, and taken for a disk that is not mounted", remedy)
    mounts = read_mounts()
    mount = mount_of(os.path.realpath(section.path), mounts)
    kind = mount.kind if mount is not None else "unknown"
    yield Finding(about, Grade.GOOD, f"{len(names)}{' or more' if len(names) == 1000 else ''} entries, on {kind}")
    yield from _watching(about, section, mount)
    yield from _writing(about, section, mount, names)


def _watching(about: str, section: WatchSection, mount: Mount | None) -> Iterator[Finding]:
    if mount is not None and mount.is_remote and section.mode != "poll":
        told = f"{mount.kind} does not tell of changes made elsewhere: it is walked every daemon.poll_s"
        grade = Grade.WARNING if section.mode == "native" else Grade.NOTE
        yield Finding(about, grade, told, 'mode = "auto" does so.' if section.mode == "native" else "")


def _writing(about: str, section: WatchSection, mount: Mount | None, names: list[bytes]) -> Iterator[Finding]:
    """Whether its files could be moved, linked and put in a trash."""
    if section.protected:
        return
    remedy = "Give it to the user of the service, or set protected = true where nothing is to be changed."
    if os.statvfs(section.path).f_flag & os.ST_RDONLY:
        yield Finding(about, Grade.WARNING, "its file system is read-only: nothing in it can be moved", remedy)
    elif not os.access(section.path, os.W_OK | os.X_OK, effective_ids=True):
        yield Finding(about, Grade.WARNING, "it may not be written: nothing in it can go to the trash", remedy)
    else:
        yield from _space(about, Path(os.fsdecode(section.path)))
    if mount is not None and mount.kind in PLAIN_FILE_SYSTEMS:
        yield Finding(about, Grade.NOTE, f"{mount.kind} has no hard links: duplicates can be moved, not linked")
    elif _folds_case(section.path, names):
        yield Finding(about, Grade.NOTE, "names that differ in case only are one file here")


def _folds_case(folder: bytes, names: list[bytes]) -> bool:
    """Whether a name in other letters leads to the same file; told from the first name that has letters."""
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
        yield Finding(about, Grade.WARNING, f"its free space cannot be told: {error.strerror}")
        return
    if free < FREE_LITTLE_BYTES:
        grade = Grade.WRONG if free < FREE_NONE_BYTES else Grade.WARNING
        yield Finding(about, grade, f"{bytes_in_words(free)} are free", "Make room: emptying the trash gives some.")


def _escaped(file: Path) -> str:
    return str(file).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
