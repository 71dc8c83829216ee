"""What the index knows of files: roots, images and contents. Every function takes the database it works on.

The changes are meant for the writer (`store.write`); each gives the ids of the contents whose files it changed, so
that the groups concerned, and no others, are made anew.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from peewee import SqliteDatabase

from index.candidates.fingerprint import SCHEME
from index.candidates.parts import separate
from index.model import HSIZES, Facts, Hashes, Identity, Reading, RootState
from index.records import absent
from index.schema import Content, Feature, Image, Problem, Region, Root

# SQLite before 3.32 takes 999 variables in one statement; some builds still do.
CHUNK = 500
PAGE = 5000

# Failures that say nothing of the bytes: the same file may well be read an hour later.
PASSING = frozenset({"unreadable", "changed"})

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class WatchRoot:
    """A configured folder as the index keeps it."""

    path: bytes
    protected: bool = False
    priority: int = 0


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Lists of at most `size` items, for statements with a bounded number of variables."""
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


# Roots


def sync_roots(database: SqliteDatabase, roots: Sequence[WatchRoot]) -> set[int]:
    """Make the watched roots those of the configuration; rows of others stay, unwatched. Contents concerned."""
    before = {bytes(row.path): row for row in Root.select().execute(database)}
    changed: set[int] = set()
    for root in roots:
        row = before.pop(root.path, None)
        # What a marker file protects stays so until a scan finds none.
        marked = row is not None and row.protected and not row.configured
        values = {"protected": root.protected or marked, "configured": root.protected, "priority": root.priority,
                  "watched": True}  # fmt: skip
        if row is None:
            Root.insert(path=root.path, **values).execute(database)
        elif any(getattr(row, name) != value for name, value in values.items()):
            Root.update(**values).where(Root.id == row.id).execute(database)
            changed.add(row.id)
    for row in before.values():
        if row.watched:
            Root.update(watched=False).where(Root.id == row.id).execute(database)
            changed.add(row.id)
    contents: set[int] = set()
    for root_id in changed:
        rows = Image.select(Image.content).where(Image.root == root_id, Image.content.is_null(False))
        contents.update(row[0] for row in rows.tuples().execute(database))
    return contents


def watched_roots(database: SqliteDatabase) -> list[Any]:
    """The rows of the roots in the configuration, by path."""
    return list(Root.select().where(Root.watched).order_by(Root.path).execute(database))


def every_root(database: SqliteDatabase) -> dict[bytes, bool]:
    """The folders that are watched, and those that were, with whether the configuration protects each."""
    rows = Root.select(Root.path, Root.configured, Root.watched).order_by(Root.path).tuples().execute(database)
    return {bytes(path): bool(protected and watched) for path, protected, watched in rows}


def root_above(database: SqliteDatabase, path: bytes) -> bytes | None:
    """The innermost of the folders that are or were watched which a path is below."""
    above = [root for root in every_root(database) if path.startswith(root.rstrip(b"/") + b"/")]
    return max(above, key=len, default=None)


def set_root_state(
    database: SqliteDatabase, root_id: int, state: RootState, reason: str = "", device: int | None = None
) -> None:
    changes: dict[str, Any] = {"state": state, "reason": reason}
    if device is not None:
        changes["device"] = device
    Root.update(**changes).where(Root.id == root_id).execute(database)


def set_state_of_root_at(database: SqliteDatabase, path: bytes, state: RootState, reason: str) -> None:
    """The state of a watched root named by its path."""
    Root.update(state=state, reason=reason).where(Root.path == path, Root.watched).execute(database)


def set_root_walked(database: SqliteDatabase, root_id: int, now_ns: int) -> None:
    Root.update(walked_ns=now_ns).where(Root.id == root_id).execute(database)


def renumber_device(database: SqliteDatabase, root_id: int, old: int, new: int) -> None:
    """The file system of a root came back under another device number."""
    Image.update(device=new).where(Image.root == root_id, Image.device == old).execute(database)


# Images


def known_in_order(database: SqliteDatabase, root_id: int) -> Iterator[tuple[bytes, Identity]]:
    """Every path of a root with its identity, ascending by path; in pages, so that memory stays flat and no open query
    keeps the write-ahead log from being emptied."""
    after = b""
    while True:
        # The plus keeps SQLite from collecting and sorting all rows of the root for each page.
        rows = database.execute_sql(
            "SELECT path, device, inode, size_bytes, mtime_ns FROM image"
            " WHERE +root_id = ? AND path > ? ORDER BY path LIMIT ?",
            (root_id, after, PAGE),
        ).fetchall()
        if not rows:
            return
        for row in rows:
            yield row[0], Identity._make(row[1:])
        after = rows[-1][0]


def still_known(database: SqliteDatabase, files: Mapping[bytes, Identity]) -> set[bytes]:
    """Those of these paths at which the index holds these identities at this moment."""
    found: set[bytes] = set()
    for some in chunks(files):
        marks = ",".join("?" * len(some))
        rows = database.execute_sql(
            f"SELECT path, device, inode, size_bytes, mtime_ns FROM image WHERE path IN ({marks})", some
        )
        found.update(row[0] for row in rows if Identity(*row[1:]) == files[row[0]])
    return found


def known_below(database: SqliteDatabase, path: bytes) -> dict[bytes, Identity]:
    """The images at a path or below it, with their identities."""
    rows = database.execute_sql(
        "SELECT path, device, inode, size_bytes, mtime_ns FROM image WHERE path = ? OR (path >= ? AND path < ?)",
        (path, path.rstrip(b"/") + b"/", path.rstrip(b"/") + b"0"),
    )
    return {path: Identity(device, inode, size, mtime) for path, device, inode, size, mtime in rows}


def content_with_identity(database: SqliteDatabase, identity: Identity) -> int | None:
    """The content of exactly this file, if any row has it: a hard link, another way to it, where it was before."""
    row = database.execute_sql(
        "SELECT content_id FROM image WHERE device = ? AND inode = ? AND size_bytes = ? AND mtime_ns = ?"
        " AND content_id IS NOT NULL LIMIT 1",
        (identity.device, identity.inode, identity.size_bytes, identity.mtime_ns),
    ).fetchone()
    return None if row is None else int(row[0])


def digests_by_size(database: SqliteDatabase, sizes: Collection[int]) -> dict[int, set[bytes]]:
    """The digests of the known contents of each of these sizes, in bytes, that need not be decoded again."""
    found: dict[int, set[bytes]] = defaultdict(set)
    for some in chunks(set(sizes)):
        marks = ",".join("?" * len(some))
        rows = database.execute_sql(
            f"SELECT size_bytes, digest FROM content WHERE size_bytes IN ({marks}) AND scheme IN ('', ?)",
            (*some, SCHEME),
        )
        for size, digest in rows:
            found[size].add(digest)
    return found


def record_readings(database: SqliteDatabase, root_id: int, readings: Iterable[Reading], now_ns: int) -> set[int]:
    """Keep what reading files told: contents, images, problems. The contents that gained or lost a file."""
    touched: set[int] = set()
    for reading in readings:
        if reading.failure in PASSING:
            # No row for this state of the file, so that the next walk tries it again.
            record_problem(database, root_id, reading.path, reading.failure, reading.message, now_ns)
            continue
        content_id = None if reading.digest is None else _content_id(database, reading)
        touched |= _put_image(database, root_id, reading.path, reading.identity, content_id, now_ns)
        failure, message = reading.failure, reading.message
        if content_id is not None and not failure:
            failure, message = _failure_of(database, content_id)
        if failure:
            record_problem(database, root_id, reading.path, failure, message, now_ns)
        else:
            forget_problem(database, reading.path)
    absent.note(database, touched)
    return touched


def link_image(
    database: SqliteDatabase, root_id: int, path: bytes, identity: Identity, content_id: int, now_ns: int
) -> set[int]:
    """A path that leads to a file whose content is known already: no byte of it is read."""
    touched = _put_image(database, root_id, path, identity, content_id, now_ns)
    absent.note(database, touched)
    failure, message = _failure_of(database, content_id)
    if failure:
        record_problem(database, root_id, path, failure, message, now_ns)
    return touched


def move_image(database: SqliteDatabase, old: bytes, new: bytes, root_id: int) -> set[int]:
    """A file that kept its identity and changed its path. Another row at the new path gives way."""
    touched = forget_images(database, [new])
    rows = Image.select(Image.content).where(Image.path == old).tuples().execute(database)
    touched.update(row[0] for row in rows if row[0] is not None)
    Image.update(path=new, root=root_id).where(Image.path == old).execute(database)
    Problem.delete().where(Problem.path == new).execute(database)
    Problem.update(path=new, root=root_id).where(Problem.path == old).execute(database)
    return touched


def forget_images(database: SqliteDatabase, paths: Iterable[bytes]) -> set[int]:
    """Drop the rows of files that are gone. Their contents stay known, in case the bytes come back."""
    touched: set[int] = set()
    for some in chunks(paths):
        rows = Image.select(Image.content).where(Image.path.in_(some)).tuples().execute(database)
        touched.update(row[0] for row in rows if row[0] is not None)
        Image.delete().where(Image.path.in_(some)).execute(database)
        Problem.delete().where(Problem.path.in_(some)).execute(database)
    absent.note(database, touched)
    return touched


def _put_image(
    database: SqliteDatabase, root_id: int, path: bytes, identity: Identity, content_id: int | None, now_ns: int
) -> set[int]:
    before = database.execute_sql("SELECT content_id FROM image WHERE path = ?", (path,)).fetchone()
    database.execute_sql(
        "INSERT INTO image (root_id, path, device, inode, size_bytes, mtime_ns, content_id, indexed_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET root_id = excluded.root_id,"
        " device = excluded.device, inode = excluded.inode, size_bytes = excluded.size_bytes,"
        " mtime_ns = excluded.mtime_ns, content_id = excluded.content_id, indexed_ns = excluded.indexed_ns",
        (
            root_id, path, identity.device, identity.inode, identity.size_bytes, identity.mtime_ns,
            content_id, now_ns,
        ),
    )  # fmt: skip
    return {found for found in (content_id, before and before[0]) if found is not None}


# Contents


def _content_id(database: SqliteDatabase, reading: Reading) -> int:
    """The row of the bytes that were read, made where they are new."""
    row = database.execute_sql("SELECT id, scheme FROM content WHERE digest = ?", (reading.digest,)).fetchone()
    if row is not None:
        if reading.hashes is not None and row[1] not in ("", reading.hashes.scheme):
            changes = {"scheme": reading.hashes.scheme, **_hash_columns(reading.hashes)}
            Content.update(**changes).where(Content.id == row[0]).execute(database)
            Region.delete().where(Region.content == row[0]).execute(database)
            _add_regions(database, row[0], reading)
        return int(row[0])
    values: dict[str, Any] = {
        "digest": reading.digest,
        "size_bytes": reading.identity.size_bytes,
        "failure": reading.failure,
        "failure_message": reading.message,
    }
    if reading.facts is not None:
        facts = reading.facts
        values |= {
            "format": facts.format,
            "width": facts.width,
            "height": facts.height,
            "mode": facts.mode,
            "orientation": facts.orientation,
            "taken": facts.taken,
            "camera": facts.camera,
            "jpeg_quality": facts.jpeg_quality,
            "earlier_quality": facts.earlier_quality,
            "detail": facts.detail,
            "frames": facts.frames,
            "metadata": ",".join(facts.metadata),
        }
    if reading.hashes is not None:
        values |= {"scheme": reading.hashes.scheme} | _hash_columns(reading.hashes)
    content_id = int(Content.insert(**values).execute(database))
    _add_regions(database, content_id, reading)
    return content_id


def _add_regions(database: SqliteDatabase, content_id: int, reading: Reading) -> None:
    for role, hashes in (reading.regions or {}).items():
        Region.insert(content=content_id, role=role, **_hash_columns(hashes)).execute(database)


def reopen_outdated(database: SqliteDatabase) -> int:
    """Have the files read again whose hashes another version of the program made; how many. What people said of them
    is kept, as the contents are."""
    outdated = Content.select(Content.id).where(Content.scheme.not_in(["", SCHEME]))
    # No file is of that time, so that the next walk takes each for changed.
    return int(Image.update(mtime_ns=-1).where(Image.content.in_(outdated)).execute(database))


def _hash_columns(hashes: Hashes) -> dict[str, bytes]:
    return {f"hash{hsize}": hashes.bits[hsize] for hsize in HSIZES}


def facts_of(row: Any) -> Facts:
    """The facts in a content row (a model instance or anything with its attributes)."""
    return Facts(
        format=row.format,
        width=row.width,
        height=row.height,
        mode=row.mode,
        orientation=row.orientation,
        taken=row.taken,
        camera=row.camera,
        jpeg_quality=row.jpeg_quality,
        detail=row.detail,
        frames=row.frames,
        metadata=tuple(filter(None, row.metadata.split(","))),
        earlier_quality=row.earlier_quality,
    )


def contents(database: SqliteDatabase, content_ids: Iterable[int]) -> dict[int, Any]:
    """The content rows with these ids."""
    found: dict[int, Any] = {}
    for some in chunks(content_ids):
        found.update((row.id, row) for row in Content.select().where(Content.id.in_(some)).execute(database))
    return found


def ids_of_digests(database: SqliteDatabase, digests: Iterable[bytes]) -> dict[bytes, int]:
    """The contents with these digests, by digest."""
    found: dict[bytes, int] = {}
    for some in chunks(digests):
        rows = Content.select(Content.digest, Content.id).where(Content.digest.in_(some)).tuples().execute(database)
        found.update((bytes(digest), content_id) for digest, content_id in rows)
    return found


def files_of(database: SqliteDatabase, content_ids: Iterable[int]) -> dict[int, list[Any]]:
    """The image rows (of watched roots) of each content, by path; rows reaching one file are all given."""
    found: dict[int, list[Any]] = defaultdict(list)
    for some in chunks(content_ids):
        of_root = Root.protected, Root.priority, Root.path.alias("root_path"), Root.state.alias("root_state")
        query = (
            Image.select(Image, *of_root)
            .join(Root)
            .where(Image.content.in_(some), Root.watched)
            .order_by(Image.path)
            .objects()
        )
        for row in query.execute(database):
            found[row.content_id].append(row)
    return found


def distinct_files(rows: Iterable[Any]) -> list[Any]:
    """One row for each file on disk, the first by path: the same file reached twice is one image."""
    seen: dict[tuple[int, int], Any] = {}
    for row in rows:
        seen.setdefault((row.device, row.inode), row)
    return list(seen.values())


# Of contents that a detection is to match as they come: those noted as absent are matched when they are back.
_THERE = "NOT EXISTS (SELECT 1 FROM absent WHERE absent.detection_id = ? AND absent.content_id = content.id)"


def count_hashed(database: SqliteDatabase, detection_id: int, after_id: int, scheme: str) -> int:
    """How many contents with an id above this have hashes and a file."""
    row = database.execute_sql(
        f"SELECT count(*) FROM content WHERE id > ? AND scheme = ? AND {_THERE}", (after_id, scheme, detection_id)
    ).fetchone()
    return int(row[0])


def hashed_contents(
    database: SqliteDatabase,
    detection_id: int,
    after_id: int,
    up_to_id: int | None,
    hsize: int,
    scheme: str,
    limit: int,
) -> list[tuple[int, int, bytes]]:
    """(id, detail, the 4 rows of bits) of contents with a file by ascending id, from above one id up to another."""
    rows = database.execute_sql(
        f"SELECT id, detail, hash{hsize:d} FROM content WHERE id > ? AND id <= ? AND scheme = ? AND {_THERE}"
        " ORDER BY id LIMIT ?",
        (after_id, 2**62 if up_to_id is None else up_to_id, scheme, detection_id, limit),
    )
    return list(rows.fetchall())


def hashes_of(
    database: SqliteDatabase, content_ids: Iterable[int], hsize: int, scheme: str
) -> list[tuple[int, int, bytes]]:
    """The same of these contents; those without hashes are left out."""
    found: list[tuple[int, int, bytes]] = []
    for some in chunks(content_ids):
        found += database.execute_sql(
            f"SELECT id, detail, hash{hsize:d} FROM content WHERE id IN ({','.join('?' * len(some))}) AND scheme = ?"
            " ORDER BY id",
            (*some, scheme),
        )
    return found


def region_hashes(database: SqliteDatabase, content_ids: Iterable[int], hsize: int) -> dict[int, list[bytes]]:
    """The hashes of the parts of each of these contents, by role; those without any are left out."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for some in chunks(content_ids):
        rows = database.execute_sql(
            f"SELECT content_id, hash{hsize:d} FROM region WHERE content_id IN ({','.join('?' * len(some))})"
            " ORDER BY content_id, role",
            some,
        )
        for content_id, bits in rows:
            found[content_id] += separate(bytes(bits), hsize)
    return found


def set_pixel_digest(database: SqliteDatabase, content_id: int, pixel_digest: bytes) -> None:
    Content.update(pixel_digest=pixel_digest).where(Content.id == content_id).execute(database)


def features_of(database: SqliteDatabase, content_ids: Iterable[int], scheme: str) -> dict[int, bytes]:
    """The local features kept for these contents under one scheme."""
    found: dict[int, bytes] = {}
    for some in chunks(content_ids):
        query = Feature.select(Feature.content, Feature.blob).where(Feature.content.in_(some), Feature.scheme == scheme)
        found.update((content_id, bytes(blob)) for content_id, blob in query.tuples().execute(database))
    return found


def undescribed(
    database: SqliteDatabase, detection_id: int, after_id: int, hash_scheme: str, least_detail: int, scheme: str
) -> list[int]:
    """The contents with a file, hashes and so much detail, from above one id, of which no local features are kept."""
    rows = database.execute_sql(
        f"SELECT id FROM content WHERE id > ? AND scheme = ? AND detail >= ? AND {_THERE} AND NOT EXISTS"
        " (SELECT 1 FROM feature WHERE feature.content_id = content.id AND feature.scheme = ?) ORDER BY id",
        (after_id, hash_scheme, least_detail, detection_id, scheme),
    )
    return [row[0] for row in rows]


def put_features(database: SqliteDatabase, scheme: str, made: Mapping[int, bytes]) -> None:
    """Keep local features, in place of any of another scheme."""
    for some in chunks(made.items(), 50):
        rows = [{"content": content_id, "scheme": scheme, "blob": blob} for content_id, blob in some]
        Feature.insert_many(rows).on_conflict_replace().execute(database)


# Problems


def record_problem(database: SqliteDatabase, root_id: int, path: bytes, reason: str, message: str, now_ns: int) -> None:
    Problem.insert(root=root_id, path=path, reason=reason, message=message, at_ns=now_ns).on_conflict(
        conflict_target=[Problem.path], preserve=[Problem.root, Problem.reason, Problem.message, Problem.at_ns]
    ).execute(database)


def forget_problem(database: SqliteDatabase, path: bytes) -> None:
    Problem.delete().where(Problem.path == path).execute(database)


def record_unreadable(
    database: SqliteDatabase, root_id: int, unreadable: Mapping[bytes, str], now_ns: int, afresh: bool
) -> None:
    """Keep what could not be looked at as problems; after a walk of the whole root, `afresh`, only those."""
    if afresh:
        Problem.delete().where(Problem.root == root_id, Problem.reason.in_(PASSING)).execute(database)
    for path, message in unreadable.items():
        record_problem(database, root_id, path, "unreadable", message, now_ns)


def _failure_of(database: SqliteDatabase, content_id: int) -> tuple[str, str]:
    row = database.execute_sql("SELECT failure, failure_message FROM content WHERE id = ?", (content_id,)).fetchone()
    return row[0], row[1]


def display(path: bytes) -> str:
    """A path for a message: what cannot be shown is replaced."""
    return os.fsdecode(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
