"""The results of compression for each file: the reports of batches, and the records by which later runs skip files.

They belong to contents. A row is written before its step starts (`making`), and gets its final state from the outcome
of the step, so that a crash loses nothing. At that moment, the verdicts on the source and the decision on the image are
copied to the new content.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from peewee import SqliteDatabase, fn

from index.database.journal_schema import Compression
from index.database.journal_schema import Step as StepRow
from index.database.records import verdicts
from index.database.records.batches import StepState
from index.database.records.images import chunks
from index.database.records.sql_paging import Page, cut_page
from index.database.schema import Content, Decision, Image
from index.errors import NotFound
from index.imaging.encoding import compression
from index.imaging.encoding.compression import CompressionOptions, Target
from index.messages import Message
from index.model import Facts


class State(StrEnum):
    """`measured`: by a dry run. `left`: nothing to gain. `refused`: something would be lost. `undone`: the source was
    restored."""

    MAKING = "making"
    DONE = "done"
    UNDONE = "undone"
    MEASURED = "measured"
    LEFT = "left"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CompressionRecord:
    """The report on one file. `score` is None if there is no result. `options_key` is CompressionOptions.key."""

    path: bytes
    state: State
    options_key: str
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
    message: Message | None = None
    step_id: int | None = None
    batch_id: int | None = None
    made_ns: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of reports: their number by state, and the bytes before and after of results that were made or
    measured."""

    states: Mapping[str, int]
    source_bytes: int
    result_bytes: int


FIELDS = tuple(name for name in CompressionRecord.__slots__ if name not in ("id", "step_id", "batch_id"))
SMALLER = (State.DONE, State.MEASURED)


def add(database: SqliteDatabase, batch_id: int | None, rows: Iterable[CompressionRecord], now_ns: int) -> None:
    """Store reports of files that are being compressed, and of skipped ones. A row of the same step, left by a crash,
    is replaced."""
    for chunk in chunks(rows, 40):
        steps = [row.step_id for row in chunk if row.step_id is not None]
        Compression.delete().where(Compression.step.in_(steps)).execute(database)
        values = [
            {name: getattr(row, name) for name in FIELDS} | {"batch": batch_id, "step": row.step_id, "made_ns": now_ns}
            for row in chunk
        ]
        Compression.insert_many(values).execute(database)


def record_step_outcomes(database: SqliteDatabase, now_ns: int) -> set[int]:
    """Give reports their final state from the outcomes of their steps, and of steps undone since. Returns the contents
    whose groups are affected."""
    concerned: set[int] = set()
    for row in _with_steps(database, State.MAKING, (StepState.PLANNED, StepState.DOING)):
        changes: dict[str, Any] = {"state": State.DONE, "made_ns": now_ns}
        if row.step_state in (StepState.DONE, StepState.UNDONE):
            changes["result_path"] = bytes(row.step_target) or bytes(row.path)
            concerned |= _carry_over(database, row, bytes(row.source_digest), bytes(row.result_digest))
        else:
            reason = row.step_reason or row.step_state
            changes |= {"state": State.FAILED, "reason": reason, "message": row.step_message}
        Compression.update(**changes).where(Compression.id == row.id).execute(database)
    for row in _with_steps(database, State.DONE, (StepState.DONE,)):
        concerned |= _carry_over(database, row, bytes(row.result_digest), bytes(row.source_digest))
        Compression.update(state=State.UNDONE).where(Compression.id == row.id).execute(database)
    return concerned


def _with_steps(database: SqliteDatabase, state: State, but: Sequence[StepState]) -> list[Any]:
    """The rows in a state whose steps are in none of the states `but`."""
    query = (
        Compression.select(Compression, StepRow.state.alias("step_state"), StepRow.reason.alias("step_reason"),
                           StepRow.message.alias("step_message"), StepRow.target.alias("step_target"))
        .join(StepRow)
        .where(Compression.state == state, StepRow.state.not_in(but))
        .objects()
    )  # fmt: skip
    return list(query.execute(database))


def _carry_over(database: SqliteDatabase, row: Any, old: bytes, new: bytes) -> set[int]:
    """Copy decisions and verdicts to the content that replaced another one: it is the same picture."""
    images = Image.select(Image.id).where(Image.path == bytes(row.path))
    Decision.update(digest=new).where(Decision.image.in_(images), Decision.digest == old).execute(database)
    Decision.update(keeper=new).where(Decision.keeper == old).execute(database)
    return set(verdicts.carry_over(database, old, new).content_ids)


# What was compressed before


def done_contents(database: SqliteDatabase, contents: Mapping[bytes, Facts], options: CompressionOptions) -> set[bytes]:
    """The digests of those contents that need no compression: results at or below the requested quality, and contents
    with nothing to gain under the same options."""
    done: set[bytes] = set()
    for chunk in chunks(contents):
        left = (Compression.source_digest.in_(chunk)) & (Compression.state == State.LEFT)
        rows = Compression.select(Compression.source_digest).where(left, Compression.options_key == options.key)
        done.update(bytes(row[0]) for row in rows.tuples().execute(database))
        made = Compression.select().where(Compression.result_digest.in_(chunk), Compression.state == State.DONE)
        for row in made.execute(database):
            digest = bytes(row.result_digest)
            if _is_up_to_date(row, contents[digest], options):
                done.add(digest)
    return done


def undone_contents(database: SqliteDatabase, digests: Iterable[bytes], options: CompressionOptions) -> set[bytes]:
    """The contents that were compressed with the same options and restored, so that the result was not wanted."""
    undone_digests: set[bytes] = set()
    for chunk in chunks(digests):
        undone = (Compression.source_digest.in_(chunk)) & (Compression.state == State.UNDONE)
        rows = Compression.select(Compression.source_digest).where(undone, Compression.options_key == options.key)
        undone_digests.update(bytes(row[0]) for row in rows.tuples().execute(database))
    return undone_digests


def _is_up_to_date(row: Any, facts: Facts, options: CompressionOptions) -> bool:
    if row.options_key == options.key:
        return True
    changes = compression.fitted(facts.width, facts.height, options) != (facts.width, facts.height)
    changes |= (
        compression.result_format(facts.format, options) != facts.format or options.strip or bool(options.colours)
    )
    if changes:
        return False
    target = Target(row.target) if row.target else None
    return options.is_lossless or (not row.lossless and compression.is_done(target, row.quality, options))


def results_of(
    database: SqliteDatabase, source_digests: Iterable[bytes], options: CompressionOptions
) -> dict[bytes, list[bytes]]:
    """For each of these contents, the digests of its results with the same options."""
    results: dict[bytes, list[bytes]] = {}
    for chunk in chunks(source_digests):
        made = (Compression.source_digest.in_(chunk)) & (Compression.state == State.DONE)
        query = Compression.select(Compression.source_digest, Compression.result_digest)
        for source, result in query.where(made, Compression.options_key == options.key).tuples().execute(database):
            results.setdefault(bytes(source), []).append(bytes(result))
    return results


def sources_of(database: SqliteDatabase, result_digests: Iterable[bytes]) -> dict[bytes, set[bytes]]:
    """For each of these contents that is the result of a compression, the digests of its sources."""
    sources: dict[bytes, set[bytes]] = {}
    for chunk in chunks(result_digests):
        made = (Compression.result_digest.in_(chunk)) & (Compression.state == State.DONE)
        query = Compression.select(Compression.result_digest, Compression.source_digest).where(made)
        for result, source in query.tuples().execute(database):
            sources.setdefault(bytes(result), set()).add(bytes(source))
    return sources


def find_in_batch(database: SqliteDatabase, batch_id: int, path: bytes) -> CompressionRecord | None:
    """The report on a file that a batch compressed, None if it did not."""
    query = Compression.select().where(Compression.batch == batch_id, Compression.path == path)
    made = query.where(Compression.state.in_((State.MAKING, State.DONE))).order_by(Compression.id.desc()).limit(1)
    return next((_record(row) for row in made.execute(database)), None)


def sources_of_steps(database: SqliteDatabase, step_ids: Iterable[int]) -> dict[int, tuple[bytes, int]]:
    """For each step with a report, the digest and the size in bytes of the source."""
    sources: dict[int, tuple[bytes, int]] = {}
    for chunk in chunks(step_ids):
        query = Compression.select(Compression.step, Compression.source_digest, Compression.source_bytes)
        for step_id, digest, size in query.where(Compression.step.in_(chunk)).tuples().execute(database):
            sources[step_id] = bytes(digest), size
    return sources


# Reports


def page(
    database: SqliteDatabase, batch_id: int | None, states: Sequence[str], after: tuple[Any, ...] | None, limit: int
) -> Page[CompressionRecord]:
    """One page of the reports of a batch in their order, or of all reports, newest first."""
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
    rows = [_record(row) for row in chosen.order_by(order).limit(limit + 1).execute(database)]
    return cut_page(rows, limit, total, lambda row: (row.id,))


def read(database: SqliteDatabase, row_id: int) -> CompressionRecord:
    """One report. Raises NotFound."""
    for row in Compression.select().where(Compression.id == row_id).execute(database):
        return _record(row)
    raise NotFound("compression.unknown", compression=row_id)


def images_at(database: SqliteDatabase, paths: Iterable[bytes]) -> dict[bytes, int]:
    """The ids of the images at these paths, by path."""
    image_ids: dict[bytes, int] = {}
    for chunk in chunks(paths):
        query = Image.select(Image.path, Image.id).where(Image.path.in_(chunk))
        image_ids.update((bytes(path), image_id) for path, image_id in query.tuples().execute(database))
    return image_ids


def image_with(database: SqliteDatabase, path: bytes, digest: bytes) -> int | None:
    """The id of the image at a path, if it has this content."""
    query = Image.select(Image.id).join(Content).where(Image.path == path, Content.digest == digest)
    return next((row[0] for row in query.tuples().execute(database)), None)


def totals(database: SqliteDatabase, batch_id: int | None) -> Totals:
    """The totals of a batch, or of everything except dry runs."""
    query = Compression.select(
        Compression.state,
        fn.count(Compression.id),
        fn.sum(Compression.source_bytes),
        fn.sum(Compression.result_bytes),
    ).group_by(Compression.state)
    query = query.where(Compression.batch == batch_id) if batch_id else query.where(Compression.state != State.MEASURED)
    rows = list(query.tuples().execute(database))
    made = [row for row in rows if row[0] in SMALLER]
    return Totals({state: count for state, count, *_ in rows}, sum(row[2] for row in made), sum(row[3] for row in made))


def reasons(database: SqliteDatabase, batch_id: int) -> dict[str, int]:
    """The number of files of a batch that were refused or failed, by reason."""
    query = Compression.select(Compression.reason, fn.count(Compression.id)).group_by(Compression.reason)
    chosen = query.where(Compression.batch == batch_id, Compression.state.in_((State.REFUSED, State.FAILED)))
    return dict(chosen.tuples().execute(database))


def _record(row: Any) -> CompressionRecord:
    values = {name: getattr(row, name) for name in FIELDS}
    for name in ("path", "result_path", "source_digest", "result_digest"):
        values[name] = bytes(values[name])
    values |= {"state": State(row.state), "lossless": bool(row.lossless)}
    return CompressionRecord(**values, step_id=row.step_id, batch_id=row.batch_id, id=row.id)
