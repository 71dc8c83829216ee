"""What was read of files: their contents with facts and hashes, their images and problems.

For the writer, as all that changes rows. The rows of many files are looked up together.
"""

from collections.abc import Iterable
from typing import Any

from peewee import SqliteDatabase

from index.database.records import images, missing_contents
from index.database.row_insertion import insert_row
from index.database.schema import Content, Region
from index.imaging.candidates.perceptual_hash import SCHEME
from index.model import FACTS_VERSION, HSIZES, Facts, Hashes, Reading


def record_readings(database: SqliteDatabase, root_id: int, readings: Iterable[Reading], now_ns: int) -> set[int]:
    """Store the results of reading files: contents, images, problems. Returns the contents that gained or lost a
    file."""
    readings = list(readings)
    touched: set[int] = set()
    before = images.contents_at(database, [reading.path for reading in readings])
    known = images.ids_of_digests(database, [reading.digest for reading in readings if reading.digest is not None])
    troubled = _with_problem(database, [reading.path for reading in readings])
    for reading in readings:
        if reading.failure in images.TRANSIENT:
            # No image row is stored for this state of the file, so the next walk reads it again.
            images.record_problem(database, root_id, reading.path, reading.failure, reading.message, now_ns)
            troubled.add(reading.path)
            continue
        content_id, is_new = None, False
        if reading.digest is not None:
            is_new = reading.digest not in known
            content_id = known[reading.digest] = (
                _insert_content(database, reading) if is_new else _content_read_again(database, reading)
            )
        touched |= {of for of in (content_id, before.get(reading.path)) if of is not None}
        images.store_image(database, root_id, reading.path, reading.identity, content_id, now_ns)
        before[reading.path] = content_id
        failure, message = reading.failure, reading.message
        if content_id is not None and not failure and not (is_new and reading.facts and not reading.facts.damage):
            failure, message = images.failure_of(database, content_id)
        if failure:
            images.record_problem(database, root_id, reading.path, failure, message, now_ns)
            troubled.add(reading.path)
        elif reading.path in troubled:
            images.forget_problem(database, reading.path)
    missing_contents.record_missing(database, touched)
    return touched


def _content_read_again(database: SqliteDatabase, reading: Reading) -> int:
    """The id of a known content that was read. If another version made its facts and hashes, they are updated. If it
    could not be decoded before, everything is."""
    query = "SELECT id, failure, scheme, facts_version FROM content WHERE digest = ?"
    content_id, failure, *made_by = database.execute_sql(query, (reading.digest,)).fetchone()
    if failure:
        return _retried(database, content_id, reading)
    if made_by != [SCHEME, FACTS_VERSION]:
        _update_content(database, content_id, reading)
    return int(content_id)


def _insert_content(database: SqliteDatabase, reading: Reading) -> int:
    """Store a content that is not known yet; its id."""
    key = {"digest": reading.digest, "size_bytes": reading.identity.size_bytes}
    content_id = insert_row(database, Content, key | _content_columns(reading))
    _add_regions(database, content_id, reading)
    return content_id


def _retried(database: SqliteDatabase, content_id: int, reading: Reading) -> int:
    """Store a content that failed before. If it is decoded now, every detection still has to match it."""
    if reading.facts is not None or reading.failure:
        Content.update(**_content_columns(reading)).where(Content.id == content_id).execute(database)
    if reading.hashes is not None:
        Region.delete().where(Region.content == content_id).execute(database)
        _add_regions(database, content_id, reading)
        missing_contents.record_back(database, content_id)
    return content_id


def _content_columns(reading: Reading) -> dict[str, Any]:
    """The columns with the result of decoding, or with the reason of its failure."""
    values: dict[str, Any] = {
        "facts_version": FACTS_VERSION, "failure": reading.failure, "failure_message": reading.message,
    }  # fmt: skip
    if reading.facts is not None:
        values |= _fact_columns(reading.facts)
    if reading.hashes is not None:
        values |= {"scheme": reading.hashes.scheme} | _hash_columns(reading.hashes)
    return values


def _update_content(database: SqliteDatabase, content_id: int, reading: Reading) -> None:
    """Replace the facts and hashes that another version made."""
    if reading.facts is not None and reading.hashes is not None:
        changes = {"scheme": reading.hashes.scheme, **_fact_columns(reading.facts), **_hash_columns(reading.hashes)}
    elif reading.failure:
        changes = {"scheme": "", **_content_columns(reading)}
    else:
        return
    Content.update(**changes).where(Content.id == content_id).execute(database)
    Region.delete().where(Region.content == content_id).execute(database)
    _add_regions(database, content_id, reading)


def _fact_columns(facts: Facts) -> dict[str, Any]:
    return {
        "facts_version": FACTS_VERSION,
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
        "record": facts.record,
        "bit_depth": facts.bit_depth,
        "transparent": facts.transparent,
        "attachments": facts.attachments,
        "damage": facts.damage,
        "description": facts.description,
    }


def _add_regions(database: SqliteDatabase, content_id: int, reading: Reading) -> None:
    for role, hashes in (reading.regions or {}).items():
        insert_row(database, Region, {"content": content_id, "role": role} | _hash_columns(hashes))


def _hash_columns(hashes: Hashes) -> dict[str, bytes]:
    return {f"hash{hsize}": hashes.bits[hsize] for hsize in HSIZES}


def _with_problem(database: SqliteDatabase, paths: Iterable[bytes]) -> set[bytes]:
    """Those of these paths that have a problem."""
    found: set[bytes] = set()
    for chunk in images.chunks(paths):
        marks = ",".join("?" * len(chunk))
        rows = database.execute_sql(f"SELECT path FROM problem WHERE path IN ({marks})", chunk)
        found.update(bytes(path) for (path,) in rows)
    return found
