"""What compression did, file by file: the report of its batches, and the memory by which a second run does nothing.

Kept by content. A row is there before its step is begun (`making`) and settled by how that ended, so that a crash loses
nothing: the "not duplicates" of the source and the decision on the image follow to the new content with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from peewee import SqliteDatabase, fn

from index.encoding import compression
from index.encoding.compression import Target, Wish
from index.errors import NotFound
from index.model import Facts
from index.records import verdicts
from index.records.batches import StepState
from index.records.catalogue import chunks
from index.records.listing_pages import Page, cut_page
from index.schema import Compression, Content, Decision, Image
from index.schema import Step as StepRow


class State(StrEnum):
    """`measured`: of a dry run. `left`: nothing to gain; `refused`: it would lose something; `failed`: tried; `undone`:
    the source is back."""

    MAKING = "making"
    DONE = "done"
    UNDONE = "undone"
    MEASURED = "measured"
    LEFT = "left"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One file's report. `score` is None where nothing was made."""

    path: bytes
    state: State
    wish: str
    source_bytes: int
    source_digest: bytes = b""
    result_path: bytes = b""
    result_digest: bytes = b""
    result_bytes: int = 0
    source_size: str = ""
    result_size: str = ""
    format: str = ""
    lossless: bool = False
    quality: int = 0
    score: float | None = None
    target: str = ""
    reason: str = ""
    message: str = ""
    step_id: int | None = None
    batch_id: int | None = None
    made_ns: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Of some reports: how many in each state, and the bytes of what was made (or measured) before and after."""

    states: Mapping[str, int]
    source_bytes: int
    result_bytes: int


FIELDS = tuple(name for name in Told.__slots__ if name not in ("id", "step_id", "batch_id"))
SMALLER = (State.DONE, State.MEASURED)


def add(database: SqliteDatabase, batch_id: int | None, rows: Iterable[Told], now_ns: int) -> None:
    """Keep what is being made, and what is not. A row of the same step, from before a crash, gives way."""
    for some in chunks(rows, 40):
        steps = [row.step_id for row in some if row.step_id is not None]
        Compression.delete().where(Compression.step.in_(steps)).execute(database)
        values = [
            {name: getattr(row, name) for name in FIELDS}
            | {"batch": batch_id, "step": row.step_id, "made_ns": now_ns}
            for row in some
        ]
        Compression.insert_many(values).execute(database)


def settle(database: SqliteDatabase, now_ns: int) -> set[int]:
    """Take in how the steps ended of what was being made, and which were undone since. The contents whose groups are
    concerned."""
    concerned: set[int] = set()
    for row in _with_steps(database, State.MAKING, (StepState.PLANNED, StepState.DOING)):
        changes: dict[str, Any] = {"state": State.DONE, "made_ns": now_ns}
        if row.step_state in (StepState.DONE, StepState.UNDONE):
            changes["result_path"] = bytes(row.step_target) or bytes(row.path)
            concerned |= _follow(database, row, bytes(row.source_digest), bytes(row.result_digest))
        else:
            reason = row.step_reason or row.step_state
            changes |= {"state": State.FAILED, "reason": reason, "message": row.step_message}
        Compression.update(**changes).where(Compression.id == row.id).execute(database)
    for row in _with_steps(database, State.DONE, (StepState.DONE,)):
        concerned |= _follow(database, row, bytes(row.result_digest), bytes(row.source_digest))
        Compression.update(state=State.UNDONE).where(Compression.id == row.id).execute(database)
    return concerned


def _with_steps(database: SqliteDatabase, state: State, but: Sequence[StepState]) -> list[Any]:
    """The rows in a state whose steps are in other states than these."""
    query = (
        Compression.select(Compression, StepRow.state.alias("step_state"), StepRow.reason.alias("step_reason"),
                           StepRow.message.alias("step_message"), StepRow.target.alias("step_target"))
        .join(StepRow)
        .where(Compression.state == state, StepRow.state.not_in(but))
        .objects()
    )  # fmt: skip
    return list(query.execute(database))


def _follow(database: SqliteDatabase, row: Any, old: bytes, new: bytes) -> set[int]:
    """What was said of a content holds for the one that took its place: it is the same picture."""
    images = Image.select(Image.id).where(Image.path == bytes(row.path))
    Decision.update(digest=new).where(Decision.image.in_(images), Decision.digest == old).execute(database)
    return set(verdicts.follow(database, old, new).content_ids)


# The memory


def done_contents(database: SqliteDatabase, contents: Mapping[bytes, Facts], wish: Wish) -> set[bytes]:
    """Those of these contents, by digest, that need nothing: results at or below the wanted quality, and what was
    left alone under the same wish."""
    found: set[bytes] = set()
    for some in chunks(contents):
        left = (Compression.source_digest.in_(some)) & (Compression.state == State.LEFT)
        rows = Compression.select(Compression.source_digest).where(left, Compression.wish == wish.key)
        found.update(bytes(row[0]) for row in rows.tuples().execute(database))
        made = Compression.select().where(Compression.result_digest.in_(some), Compression.state == State.DONE)
        for row in made.execute(database):
            digest = bytes(row.result_digest)
            if _needs_nothing(row, contents[digest], wish):
                found.add(digest)
    return found


def undone_contents(database: SqliteDatabase, digests: Iterable[bytes], wish: Wish) -> set[bytes]:
    """Those of these contents that were brought back after the same wish: somebody did not like what it made."""
    found: set[bytes] = set()
    for some in chunks(digests):
        undone = (Compression.source_digest.in_(some)) & (Compression.state == State.UNDONE)
        rows = Compression.select(Compression.source_digest).where(undone, Compression.wish == wish.key)
        found.update(bytes(row[0]) for row in rows.tuples().execute(database))
    return found


def _needs_nothing(row: Any, facts: Facts, wish: Wish) -> bool:
    if row.wish == wish.key:
        return True
    changes = compression.fitted(facts.width, facts.height, wish) != (facts.width, facts.height)
    changes |= compression.result_format(facts.format, wish) != facts.format or wish.strip or bool(wish.colours)
    if changes:
        return False
    target = Target(row.target) if row.target else None
    return wish.is_lossless or (not row.lossless and compression.is_done(target, row.quality, wish))


def results_of(database: SqliteDatabase, source_digests: Iterable[bytes], wish: Wish) -> dict[bytes, list[bytes]]:
    """The digests of what was made of these contents under the same wish."""
    found: dict[bytes, list[bytes]] = {}
    for some in chunks(source_digests):
        made = (Compression.source_digest.in_(some)) & (Compression.state == State.DONE)
        query = Compression.select(Compression.source_digest, Compression.result_digest)
        for source, result in query.where(made, Compression.wish == wish.key).tuples().execute(database):
            found.setdefault(bytes(source), []).append(bytes(result))
    return found


def sources_of(database: SqliteDatabase, result_digests: Iterable[bytes]) -> dict[bytes, set[bytes]]:
    """For each of these contents that a compression made: the digests of what it was made of."""
    found: dict[bytes, set[bytes]] = {}
    for some in chunks(result_digests):
        made = (Compression.result_digest.in_(some)) & (Compression.state == State.DONE)
        query = Compression.select(Compression.result_digest, Compression.source_digest).where(made)
        for result, source in query.tuples().execute(database):
            found.setdefault(bytes(result), set()).add(bytes(source))
    return found


def of_step(database: SqliteDatabase, batch_id: int, path: bytes) -> Told | None:
    """What was made of a file in a batch, if it was."""
    query = Compression.select().where(Compression.batch == batch_id, Compression.path == path)
    made = query.where(Compression.state.in_((State.MAKING, State.DONE))).order_by(Compression.id.desc()).limit(1)
    return next((_told(row) for row in made.execute(database)), None)


def sources_of_steps(database: SqliteDatabase, step_ids: Iterable[int]) -> dict[int, tuple[bytes, int]]:
    """Of the steps that were made ready: the digest of each one's source, and its bytes."""
    found: dict[int, tuple[bytes, int]] = {}
    for some in chunks(step_ids):
        query = Compression.select(Compression.step, Compression.source_digest, Compression.source_bytes)
        for step_id, digest, size in query.where(Compression.step.in_(some)).tuples().execute(database):
            found[step_id] = bytes(digest), size
    return found


# The report


def page(
    database: SqliteDatabase, batch_id: int | None, states: Sequence[str], after: tuple[Any, ...] | None, limit: int
) -> Page[Told]:
    """Reports of a batch in their order, or of all, the newest first; a page at a time."""
    chosen = Compression.select()
    if batch_id is not None:
        chosen = chosen.where(Compression.batch == batch_id)
    if states:
        chosen = chosen.where(Compression.state.in_(states))
    total = chosen.count(database)
    newest_first = batch_id is None
    if after is not None:
        chosen = chosen.where(Compression.id < after[0] if newest_first else Compression.id > after[0])
    order = Compression.id.desc() if newest_first else Compression.id
    rows = [_told(row) for row in chosen.order_by(order).limit(limit + 1).execute(database)]
    return cut_page(rows, limit, total, lambda row: (row.id,))


def read(database: SqliteDatabase, row_id: int) -> Told:
    """One report. Raises NotFound."""
    for row in Compression.select().where(Compression.id == row_id).execute(database):
        return _told(row)
    raise NotFound(f"There is no compression {row_id}.")


def images_at(database: SqliteDatabase, paths: Iterable[bytes]) -> dict[bytes, int]:
    """The images at these paths, by path."""
    found: dict[bytes, int] = {}
    for some in chunks(paths):
        query = Image.select(Image.path, Image.id).where(Image.path.in_(some))
        found.update((bytes(path), image_id) for path, image_id in query.tuples().execute(database))
    return found


def image_with(database: SqliteDatabase, path: bytes, digest: bytes) -> int | None:
    """The image at a path, if it holds this content."""
    query = Image.select(Image.id).join(Content).where(Image.path == path, Content.digest == digest)
    return next((row[0] for row in query.tuples().execute(database)), None)


def totals(database: SqliteDatabase, batch_id: int | None) -> Totals:
    """Of a batch, or of everything that was ever made: dry runs apart."""
    query = Compression.select(
        Compression.state,
        fn.count(Compression.id),
        fn.sum(Compression.source_bytes),
        fn.sum(Compression.result_bytes),
    ).group_by(Compression.state)
    query = query.where(Compression.batch == batch_id) if batch_id else query.where(Compression.state != State.MEASURED)
    rows = list(query.tuples().execute(database))
    made = [row for row in rows if row[0] in SMALLER]
    return Totals(
        {state: count for state, count, *_ in rows}, sum(row[2] for row in made), sum(row[3] for row in made)
    )


def reasons(database: SqliteDatabase, batch_id: int) -> dict[str, int]:
    """Why files of a batch were refused or failed, and how many for each reason."""
    query = Compression.select(Compression.reason, fn.count(Compression.id)).group_by(Compression.reason)
    chosen = query.where(Compression.batch == batch_id, Compression.state.in_((State.REFUSED, State.FAILED)))
    return dict(chosen.tuples().execute(database))


def _told(row: Any) -> Told:
    values = {name: getattr(row, name) for name in FIELDS}
    for name in ("path", "result_path", "source_digest", "result_digest"):
        values[name] = bytes(values[name])
    values |= {"state": State(row.state), "lossless": bool(row.lossless)}
    return Told(**values, step_id=row.step_id, batch_id=row.batch_id, id=row.id)
