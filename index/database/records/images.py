"""Roots, images, contents and problems.

Functions that change rows are meant for the writer (`store.write`). They return the ids of the contents whose files
they changed, so that only the affected groups are rebuilt.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from peewee import SqliteDatabase

from index.database.records import missing_contents
from index.database.schema import Content, Feature, Image, Problem, Root
from index.imaging.candidates.crop_hashes import separate
from index.imaging.candidates.perceptual_hash import SCHEME
from index.messages import Message, of_json
from index.model import FACTS_VERSION, Facts, Identity, RootState

# SQLite before 3.32 accepts 999 variables in one statement; some builds still do.
CHUNK = 500
PAGE = 5000

# Failures that do not depend on the bytes: the same file may be readable later.
TRANSIENT = frozenset({"unreadable", "changed"})
# The problem category of a file that was decoded, but with a complaint of its decoder.
DAMAGED = "damaged"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class WatchRoot:
    """A watch root of the configuration."""

    path: bytes
    protected: bool = False
    priority: int = 0


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """The items in lists of at most `size`, for statements with a limited number of variables."""
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


# Roots


def sync_roots(database: SqliteDatabase, roots: Sequence[WatchRoot]) -> set[int]:
    """Make the watched roots those of the configuration. Rows of other roots stay, but are not watched. Returns the
    contents of the roots that changed."""
    before = {bytes(row.path): row for row in Root.select().execute(database)}
    changed: set[int] = set()
    for root in roots:
        row = before.pop(root.path, None)
        # Protection by a marker file stays until a scan finds no marker.
        marked = row is not None and row.protected and not row.configured
        values = {"protected": root.protected or marked, "configured": root.protected, "priority": root.priority,
                  "watched": True, "temporary": 0}  # fmt: skip
        if row is None:
            Root.insert(path=root.path, **values).execute(database)
        elif any(getattr(row, name) != value for name, value in values.items()):
            Root.update(**values).where(Root.id == row.id).execute(database)
            changed.add(row.id)
    for row in before.values():
        if row.watched and not row.temporary:
            Root.update(watched=False).where(Root.id == row.id).execute(database)
            changed.add(row.id)
    contents: set[int] = set()
    for root_id in changed:
        rows = Image.select(Image.content).where(Image.root == root_id, Image.content.is_null(False))
        contents.update(row[0] for row in rows.tuples().execute(database))
    return contents


def watched_roots(database: SqliteDatabase) -> list[Any]:
    """The rows of the watched roots, ordered by path."""
    return list(Root.select().where(Root.watched, Root.temporary == 0).order_by(Root.path).execute(database))


def indexed_roots(database: SqliteDatabase) -> list[Any]:
    """The rows of the watched roots and of the temporary ones of a search, ordered by path."""
    return list(Root.select().where(Root.watched).order_by(Root.path).execute(database))


def all_roots(database: SqliteDatabase) -> dict[bytes, bool]:
    """The folders that are or were watched, each with whether the configuration protects it."""
    # Temporary roots are left out: the journal never changed anything in them.
    query = Root.select(Root.path, Root.configured, Root.watched).where(Root.temporary == 0)
    rows = query.order_by(Root.path).tuples().execute(database)
    return {bytes(path): bool(protected and watched) for path, protected, watched in rows}


def root_above(database: SqliteDatabase, path: bytes) -> bytes | None:
    """The innermost folder above a path that is or was watched, None if there is none."""
    above = [root for root in all_roots(database) if path.startswith(root.rstrip(b"/") + b"/")]
    return max(above, key=len, default=None)


def set_root_state(
    database: SqliteDatabase, root_id: int, state: RootState, reason: Message | None = None, device: int | None = None
) -> None:
    changes: dict[str, Any] = {"state": state, "reason": reason}
    if device is not None:
        changes["device"] = device
    Root.update(**changes).where(Root.id == root_id).execute(database)


def set_state_of_root_at(database: SqliteDatabase, path: bytes, state: RootState, reason: Message | None) -> None:
    """Set the state of the watched root with this path."""
    Root.update(state=state, reason=reason).where(Root.path == path, Root.watched).execute(database)


def set_root_walked(database: SqliteDatabase, root_id: int, now_ns: int, skipped: Mapping[str, int]) -> None:
    """Record that all of a root was walked. `skipped` counts the files that were ignored because of their name, by
    ending."""
    values = {"walked_ns": now_ns, "skipped": json.dumps(skipped, sort_keys=True)}
    Root.update(**values).where(Root.id == root_id).execute(database)


def skipped_by_name(database: SqliteDatabase) -> dict[str, int]:
    """The number of files of the watched roots that the last walk ignored because of their name, by ending."""
    skipped: Counter[str] = Counter()
    for (counts,) in Root.select(Root.skipped).where(Root.watched, Root.temporary == 0).tuples().execute(database):
        skipped.update(json.loads(counts))
    return dict(skipped)


def renumber_device(database: SqliteDatabase, root_id: int, old: int, new: int) -> None:
    """Change the device number of the images of a root. For a file system that came back with another number."""
    Image.update(device=new).where(Image.root == root_id, Image.device == old).execute(database)


# Images


def known_in_order(database: SqliteDatabase, root_id: int) -> Iterator[tuple[bytes, Identity]]:
    """Every path of a root with its identity, ordered by path. Read in pages, so that memory use is constant and no
    open query blocks checkpoints of the write-ahead log."""
    after = b""
    while True:
        # The plus prevents SQLite from using the index on roots, which would sort all rows of the root for each page.
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


def unchanged_paths(database: SqliteDatabase, files: Mapping[bytes, Identity]) -> set[bytes]:
    """The paths that still have these identities in the index."""
    unchanged: set[bytes] = set()
    for chunk in chunks(files):
        marks = ",".join("?" * len(chunk))
        rows = database.execute_sql(
            f"SELECT path, device, inode, size_bytes, mtime_ns FROM image WHERE path IN ({marks})", chunk
        )
        unchanged.update(row[0] for row in rows if Identity(*row[1:]) == files[row[0]])
    return unchanged


def known_below(database: SqliteDatabase, path: bytes) -> dict[bytes, Identity]:
    """The identities of the images at a path or below it, by path."""
    rows = database.execute_sql(
        "SELECT path, device, inode, size_bytes, mtime_ns FROM image WHERE path = ? OR (path >= ? AND path < ?)",
        (path, path.rstrip(b"/") + b"/", path.rstrip(b"/") + b"0"),
    )
    return {path: Identity(device, inode, size, mtime) for path, device, inode, size, mtime in rows}


def content_with_identity(database: SqliteDatabase, identity: Identity) -> int | None:
    """The content of an image with this identity, None if there is none. Such an image is a hard link, another path to
    the file, or its previous path."""
    row = database.execute_sql(
        "SELECT content_id FROM image WHERE device = ? AND inode = ? AND size_bytes = ? AND mtime_ns = ?"
        " AND content_id IS NOT NULL LIMIT 1",
        (identity.device, identity.inode, identity.size_bytes, identity.mtime_ns),
    ).fetchone()
    return None if row is None else int(row[0])


def digests_by_size(database: SqliteDatabase, sizes: Collection[int]) -> dict[int, set[bytes]]:
    """For each of these sizes in bytes, the digests of the contents of that size that this version has read. Contents
    that failed under other decoders are left out (see decoder_set)."""
    digests: dict[int, set[bytes]] = defaultdict(set)
    for chunk in chunks(set(sizes)):
        marks = ",".join("?" * len(chunk))
        rows = database.execute_sql(
            f"SELECT size_bytes, digest FROM content WHERE size_bytes IN ({marks})"
            " AND scheme IN ('', ?) AND facts_version = ?",
            (*chunk, SCHEME, FACTS_VERSION),
        )
        for size, digest in rows:
            digests[size].add(digest)
    return digests


def link_image(
    database: SqliteDatabase, root_id: int, path: bytes, identity: Identity, content_id: int, now_ns: int
) -> set[int]:
    """Store an image whose content is already known, without reading the file. Returns the contents affected."""
    touched = {of for of in (content_id, contents_at(database, [path]).get(path)) if of is not None}
    store_image(database, root_id, path, identity, content_id, now_ns)
    missing_contents.record_missing(database, touched)
    failure, message = failure_of(database, content_id)
    if failure:
        record_problem(database, root_id, path, failure, message, now_ns)
    return touched


def move_image(database: SqliteDatabase, old: bytes, new: bytes, root_id: int) -> set[int]:
    """Change the path of an image whose identity is the same. An existing row at the new path is replaced. Returns the
    contents affected."""
    touched = forget_images(database, [new])
    rows = Image.select(Image.content).where(Image.path == old).tuples().execute(database)
    touched.update(row[0] for row in rows if row[0] is not None)
    Image.update(path=new, root=root_id).where(Image.path == old).execute(database)
    Problem.delete().where(Problem.path == new).execute(database)
    Problem.update(path=new, root=root_id).where(Problem.path == old).execute(database)
    return touched


def forget_images(database: SqliteDatabase, paths: Iterable[bytes]) -> set[int]:
    """Delete the rows of missing files. Their contents stay, in case the bytes come back. Returns the contents
    affected."""
    touched: set[int] = set()
    for chunk in chunks(paths):
        rows = Image.select(Image.content).where(Image.path.in_(chunk)).tuples().execute(database)
        touched.update(row[0] for row in rows if row[0] is not None)
        Image.delete().where(Image.path.in_(chunk)).execute(database)
        Problem.delete().where(Problem.path.in_(chunk)).execute(database)
    missing_contents.record_missing(database, touched)
    return touched


def store_image(
    database: SqliteDatabase, root_id: int, path: bytes, identity: Identity, content_id: int | None, now_ns: int
) -> None:
    """Store the row of an image, in place of the one at its path."""
    database.execute_sql(
        "INSERT INTO image (root_id, path, device, inode, size_bytes, mtime_ns, content_id, indexed_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET root_id = excluded.root_id,"
        " device = excluded.device, inode = excluded.inode, size_bytes = excluded.size_bytes,"
        " mtime_ns = excluded.mtime_ns, content_id = excluded.content_id,"
        # The time since when this file is known, which does not change when it is read again.
        " indexed_ns = CASE WHEN device = excluded.device AND inode = excluded.inode"
        " AND content_id IS excluded.content_id THEN indexed_ns ELSE excluded.indexed_ns END",
        (
            root_id, path, identity.device, identity.inode, identity.size_bytes, identity.mtime_ns,
            content_id, now_ns,
        ),
    )  # fmt: skip


def contents_at(database: SqliteDatabase, paths: Iterable[bytes]) -> dict[bytes, int | None]:
    """The contents of the images at these paths."""
    found: dict[bytes, int | None] = {}
    for chunk in chunks(paths):
        marks = ",".join("?" * len(chunk))
        found.update(database.execute_sql(f"SELECT path, content_id FROM image WHERE path IN ({marks})", chunk))
    return found


# Contents


def invalidate_outdated(database: SqliteDatabase) -> int:
    """Mark the files to be read again whose hashes or facts another version made. Returns their number. Verdicts and
    decisions are kept, since the contents are."""
    outdated = Content.select(Content.id).where(
        Content.scheme != "", (Content.scheme != SCHEME) | (Content.facts_version != FACTS_VERSION)
    )
    # No file has this modification time, so the next walk finds each of these files changed.
    return int(Image.update(mtime_ns=-1).where(Image.content.in_(outdated)).execute(database))


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
        record=row.record,
        bit_depth=row.bit_depth,
        transparent=bool(row.transparent),
        attachments=row.attachments,
        damage=row.damage,
        description=row.description,
    )


def contents(database: SqliteDatabase, content_ids: Iterable[int]) -> dict[int, Any]:
    """The content rows with these ids, by id."""
    rows: dict[int, Any] = {}
    for chunk in chunks(content_ids):
        rows.update((row.id, row) for row in Content.select().where(Content.id.in_(chunk)).execute(database))
    return rows


def ids_of_digests(database: SqliteDatabase, digests: Iterable[bytes]) -> dict[bytes, int]:
    """The ids of the contents with these digests, by digest."""
    content_ids: dict[bytes, int] = {}
    for chunk in chunks(digests):
        rows = Content.select(Content.digest, Content.id).where(Content.digest.in_(chunk)).tuples().execute(database)
        content_ids.update((bytes(digest), content_id) for digest, content_id in rows)
    return content_ids


def files_of(database: SqliteDatabase, content_ids: Iterable[int]) -> dict[int, list[Any]]:
    """The image rows of each content in watched roots, ordered by path. A file with several paths has several rows."""
    files: dict[int, list[Any]] = defaultdict(list)
    for chunk in chunks(content_ids):
        of_root = (
            Root.protected,
            Root.priority,
            Root.path.alias("root_path"),
            Root.state.alias("root_state"),
            Root.temporary,
        )
        query = (
            Image.select(Image, *of_root)
            .join(Root)
            .where(Image.content.in_(chunk), Root.watched)
            .order_by(Image.path)
            .objects()
        )
        for row in query.execute(database):
            files[row.content_id].append(row)
    return files


def distinct_files(rows: Iterable[Any]) -> list[Any]:
    """One row for each file on disk, the first by path: a file with several paths is one image."""
    seen: dict[tuple[int, int], Any] = {}
    for row in rows:
        seen.setdefault((row.device, row.inode), row)
    return list(seen.values())


# Contents that a detection matches in order of their id. Those recorded as missing are matched when they come back.
_HAS_FILE = "NOT EXISTS (SELECT 1 FROM absent WHERE absent.detection_id = ? AND absent.content_id = content.id)"


def count_hashed(database: SqliteDatabase, detection_id: int, after_id: int, scheme: str) -> int:
    """The number of contents with an id above `after_id` that have hashes and a file."""
    row = database.execute_sql(
        f"SELECT count(*) FROM content WHERE id > ? AND scheme = ? AND {_HAS_FILE}", (after_id, scheme, detection_id)
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
    """(id, detail, packed hashes of the 4 flips) of the contents with a file, ordered by id, from above `after_id` up
    to `up_to_id` (None: to the end)."""
    rows = database.execute_sql(
        f"SELECT id, detail, hash{hsize:d} FROM content WHERE id > ? AND id <= ? AND scheme = ? AND {_HAS_FILE}"
        " ORDER BY id LIMIT ?",
        (after_id, 2**62 if up_to_id is None else up_to_id, scheme, detection_id, limit),
    )
    return list(rows.fetchall())


def hashes_of(
    database: SqliteDatabase, content_ids: Iterable[int], hsize: int, scheme: str
) -> list[tuple[int, int, bytes]]:
    """(id, detail, packed hashes of the 4 flips) of these contents. Those without hashes are left out."""
    rows: list[tuple[int, int, bytes]] = []
    for chunk in chunks(content_ids):
        rows += database.execute_sql(
            f"SELECT id, detail, hash{hsize:d} FROM content WHERE id IN ({','.join('?' * len(chunk))}) AND scheme = ?"
            " ORDER BY id",
            (*chunk, scheme),
        )
    return rows


def sizes_of(database: SqliteDatabase, content_ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """The width and height of each of these contents."""
    sizes: dict[int, tuple[int, int]] = {}
    for chunk in chunks(content_ids):
        rows = Content.select(Content.id, Content.width, Content.height).where(Content.id.in_(chunk))
        sizes.update((row[0], (row[1], row[2])) for row in rows.tuples().execute(database))
    return sizes


def region_hashes(database: SqliteDatabase, content_ids: Iterable[int], hsize: int) -> dict[int, list[bytes]]:
    """The crop hashes of each of these contents, ordered by role. Contents without any are left out."""
    hashes: dict[int, list[bytes]] = defaultdict(list)
    for chunk in chunks(content_ids):
        rows = database.execute_sql(
            f"SELECT content_id, hash{hsize:d} FROM region WHERE content_id IN ({','.join('?' * len(chunk))})"
            " ORDER BY content_id, role",
            chunk,
        )
        for content_id, bits in rows:
            hashes[content_id] += separate(bytes(bits), hsize)
    return hashes


def set_pixel_digest(database: SqliteDatabase, content_id: int, pixel_digest: bytes) -> None:
    Content.update(pixel_digest=pixel_digest).where(Content.id == content_id).execute(database)


def features_of(database: SqliteDatabase, content_ids: Iterable[int], scheme: str) -> dict[int, bytes]:
    """The stored local features of these contents, for one scheme."""
    features: dict[int, bytes] = {}
    for chunk in chunks(content_ids):
        query = Feature.select(Feature.content, Feature.blob).where(
            Feature.content.in_(chunk), Feature.scheme == scheme
        )
        features.update((content_id, bytes(blob)) for content_id, blob in query.tuples().execute(database))
    return features


def without_features(
    database: SqliteDatabase, detection_id: int, after_id: int, hash_scheme: str, least_detail: int, scheme: str
) -> list[int]:
    """The contents with an id above `after_id` that have a file, hashes and enough detail, but no stored local
    features."""
    rows = database.execute_sql(
        f"SELECT id FROM content WHERE id > ? AND scheme = ? AND detail >= ? AND {_HAS_FILE} AND NOT EXISTS"
        " (SELECT 1 FROM feature WHERE feature.content_id = content.id AND feature.scheme = ?) ORDER BY id",
        (after_id, hash_scheme, least_detail, detection_id, scheme),
    )
    return [row[0] for row in rows]


def store_features(database: SqliteDatabase, scheme: str, made: Mapping[int, bytes]) -> None:
    """Store local features, and replace those of another scheme."""
    for chunk in chunks(made.items(), 50):
        rows = [{"content": content_id, "scheme": scheme, "blob": blob} for content_id, blob in chunk]
        Feature.insert_many(rows).on_conflict_replace().execute(database)


# Problems


def record_problem(
    database: SqliteDatabase, root_id: int, path: bytes, reason: str, message: Message | None, now_ns: int
) -> None:
    Problem.insert(root=root_id, path=path, reason=reason, message=message, at_ns=now_ns).on_conflict(
        conflict_target=[Problem.path], preserve=[Problem.root, Problem.reason, Problem.message, Problem.at_ns]
    ).execute(database)


def forget_problem(database: SqliteDatabase, path: bytes) -> None:
    database.execute_sql("DELETE FROM problem WHERE path = ?", (path,))


def record_unreadable(
    database: SqliteDatabase, root_id: int, unreadable: Mapping[bytes, Message], now_ns: int, afresh: bool
) -> None:
    """Store problems of paths that could not be read. After a walk of the whole root (`afresh`) they replace the
    earlier problems."""
    if afresh:
        Problem.delete().where(Problem.root == root_id, Problem.reason.in_(TRANSIENT)).execute(database)
    for path, message in unreadable.items():
        record_problem(database, root_id, path, "unreadable", message, now_ns)


def failure_of(database: SqliteDatabase, content_id: int) -> tuple[str, Message | None]:
    """Why a content could not be decoded, or what damage it has; "" for neither."""
    failure, message, damage, picture_format = database.execute_sql(
        "SELECT failure, failure_message, damage, format FROM content WHERE id = ?", (content_id,)
    ).fetchone()
    if not failure and damage:
        return DAMAGED, Message("picture.damaged", format=picture_format, problem=damage)
    return failure, of_json(message)
