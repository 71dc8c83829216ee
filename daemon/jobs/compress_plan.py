"""The plan of a compression: which of the indexed files are made smaller, into which files, and which are not and why.

Nothing is decoded here: what is known of a content, and what compression remembers of it, says what there is to do.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import SqliteDatabase

from daemon.files.grounds import Grounds
from index.encoding import compression
from index.encoding.compression import Format, Target, Wish
from index.errors import UsageError
from index.model import Facts, Identity, RootState
from index.records import catalogue, compressions
from index.records.batches import Action, Step
from index.records.compressions import State, Told
from index.records.jobs import CompressParameters
from index.records.listing_pages import Where, below_any
from index.settings import parse_resolution

MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Order:
    """What a compression is asked to do. Without `folders` and `files` it is about all watched folders; with
    `modify` the result takes the source's place, with `delete` the source goes to the trash."""

    wish: Wish
    least_bytes: int
    modify: bool = False
    delete: bool = False
    recursive: bool = False
    folders: tuple[bytes, ...] = ()
    files: tuple[bytes, ...] = ()

    @property
    def keeps_source(self) -> bool:
        return not (self.modify or self.delete)


@dataclass(slots=True)
class Plan:
    """`steps` in their order, each file's together; `told` of files that are not touched. Of all `files`, `known` need
    nothing, as was found before, and `undone` were brought back after the same was done to them."""

    steps: list[Step] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    files: int = 0
    known: int = 0
    undone: int = 0


def order_of(values: Mapping[str, Any], given: CompressParameters) -> Order:
    """The settings (`compress.quality` and so on) with what a job gives over them. Raises UsageError."""

    def wanted(name: str) -> Any:
        value = getattr(given, name)
        return values[f"compress.{name}"] if value is None else value

    width, height = parse_resolution(wanted("resolution"))
    target = wanted("target") if given.quality is None else given.target
    picture_format = wanted("format")
    return Order(
        wish=Wish(
            quality=wanted("quality"),
            target=Target(target) if target else None,
            width=width,
            height=height,
            keep_ratio=wanted("keep_ratio"),
            enlarge=wanted("enlarge"),
            format=Format(picture_format) if picture_format else None,
            strip=wanted("strip"),
            colours=wanted("colours"),
            least_gain=wanted("least_gain") / 100,
        ),
        least_bytes=int(wanted("size_threshold_mb") * MEGABYTE),
        modify=wanted("modify_source"),
        delete=wanted("delete_source"),
        recursive=wanted("recursive"),
        folders=tuple(os.fsencode(folder) for folder in given.folders),
        files=tuple(os.fsencode(file) for file in given.files),
    )


def make_plan(database: SqliteDatabase, order: Order, grounds: Grounds) -> Plan:
    """Decide about every indexed file that the order is about. Raises UsageError for what is not watched."""
    _require_watched(order, grounds)
    plan = Plan()
    rows = list(_rows(database, order))
    facts = {bytes(row.digest): catalogue.facts_of(row) for row in rows}
    needless = compressions.done_contents(database, facts, order.wish)
    undone = compressions.undone_contents(database, facts, order.wish)
    results = compressions.results_of(database, facts, order.wish) if order.keeps_source else {}
    seen: set[tuple[int, int]] = set()
    for row in rows:
        if (row.device, row.inode) in seen:
            continue
        seen.add((row.device, row.inode))
        plan.files += 1
        digest = bytes(row.digest)
        refusal = _refusal(row, facts[digest], order, grounds)
        if refusal is None and digest in undone and row.path not in order.files:
            plan.undone += 1
        elif refusal is None and (digest in needless or _has_result(database, row.path, results.get(digest, ()))):
            plan.known += 1
        else:
            _add(plan, order, row, facts[digest], refusal)
    return plan


def _require_watched(order: Order, grounds: Grounds) -> None:
    for field_name, paths in (("folders", order.folders), ("files", order.files)):
        for path in paths:
            if not grounds.is_below_any(path):
                raise UsageError(
                    f"{catalogue.display(path)} is in no watched folder.", field=f"parameters.{field_name}"
                )


def _rows(database: SqliteDatabase, order: Order) -> Sequence[Any]:
    where = Where()
    where.add("r.watched")
    where.add("i.size_bytes >= ?", order.least_bytes)
    if order.folders or order.files:
        places = [os.fsdecode(path) for path in (*order.folders, *order.files)]
        term, *values = below_any("i.path", places)
        where.add(term, *values)
    cursor = database.execute_sql(
        "SELECT i.id AS image_id, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, r.path AS root_path,"
        " r.state AS root_state, c.* FROM image i JOIN content c ON c.id = i.content_id JOIN root r ON r.id = i.root_id"
        f" WHERE {where} ORDER BY i.path",
        where.values,
    )
    names = [column[0] for column in cursor.description]
    return [row for values in cursor if _is_meant(row := _Row(dict(zip(names, values, strict=True))), order)]


class _Row:
    """A row by its columns; of two with one name, the content's."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _is_meant(row: Any, order: Order) -> bool:
    """Whether the order is about a file: named, or in one of its folders."""
    if row.path in order.files:
        return True
    if row.format not in compression.TAKEN and not row.failure:
        return False
    if order.keeps_source and os.path.splitext(row.path)[0].endswith(compression.SUFFIX):
        return False
    folders = order.folders or (() if order.files else (row.root_path,))
    folder = os.path.dirname(row.path)
    return any(folder == top or (order.recursive and folder.startswith(top.rstrip(b"/") + b"/")) for top in folders)


def _add(plan: Plan, order: Order, row: Any, facts: Facts, refusal: tuple[str, str] | None) -> None:
    path, digest = bytes(row.path), bytes(row.digest)
    target = path
    if refusal is None:
        folder, name = os.path.split(path)
        made = compression.result_name(name, facts.format, order.wish, beside=not order.modify)
        target = os.path.join(folder, made)
        if target != path and os.path.lexists(target):
            refusal = "output_exists", f"There is a file {catalogue.display(made)} already."
    if refusal is not None:
        plan.told.append(_told(row, facts, order, State.REFUSED, *refusal))
        return
    identity = Identity(row.device, row.inode, row.size_bytes, row.mtime_ns)
    if target == path:
        plan.steps.append(Step(Action.REPLACE, path, identity, digest))
        return
    plan.steps.append(Step(Action.CREATE, path, identity, digest, target=target))
    if not order.keeps_source:
        # They belong together: one is not undone without the other.
        plan.steps.append(Step(Action.TRASH, path, identity, digest, companion_of=len(plan.steps)))


def _refusal(row: Any, facts: Facts, order: Order, grounds: Grounds) -> tuple[str, str] | None:
    """Why a file may not be touched, as a word and a sentence."""
    if row.failure:
        return row.failure, f"It cannot be read as a picture: {row.failure_message}."
    if row.root_state != RootState.ONLINE:
        return "offline", "Its folder is offline."
    if (protection := grounds.protection_of(row.path)) is not None:
        return "protected", protection.sentence
    if facts.format not in compression.TAKEN:
        return "format", f"{facts.format} is not made smaller: only JPEG, PNG, BMP and WebP are."
    if facts.frames > 1:
        return "animation", "It moves, and one picture would be left of it."
    if not order.keeps_source and _names_of(row.path) > 1:
        return "hard_linked", "It has another name (a hard link), and its bytes would stay on the disk."
    return None


def _names_of(path: bytes) -> int:
    try:
        return os.lstat(path).st_nlink
    except OSError:
        return 1


def _has_result(database: SqliteDatabase, path: bytes, digests: Sequence[bytes]) -> bool:
    """Whether one of these contents lies in the same folder."""
    folder = os.path.dirname(path)
    for digest in digests:
        rows = database.execute_sql(
            "SELECT i.path FROM image i JOIN content c ON c.id = i.content_id WHERE c.digest = ?", (digest,)
        )
        if any(os.path.dirname(found) == folder and os.path.lexists(found) for (found,) in rows):
            return True
    return False


def _told(row: Any, facts: Facts, order: Order, state: State, reason: str, message: str) -> Told:
    return Told(
        path=bytes(row.path),
        state=state,
        wish=order.wish.key,
        source_bytes=row.size_bytes,
        source_digest=bytes(row.digest),
        source_size=f"{facts.width}x{facts.height}",
        format=facts.format,
        reason=reason,
        message=message,
    )
