"""The vectors of contents, by content and model, and the state of the configured model.

Vectors of another model stay until all contents have one of the present model, so that an interrupted change loses
nothing. Then they are removed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.vector_schema import EmbeddingModel, Vector
from index.messages import Message

# Processor time for one picture in milliseconds. If the model takes longer, AUTO does not use it: it would take more
# than an hour on one core for 100,000 pictures.
MOST_MILLISECONDS: Final = 40.0


@dataclass(frozen=True, slots=True)
class ModelState:
    """The last known state of the model. `path` is "" for the model that comes with the program. `milliseconds` is the
    processor time for one picture, as first measured. `failure` is the reason why the model is not used, None if it can
    be."""

    path: str
    key: str
    dimensions: int
    milliseconds: float
    failure: Message | None
    checked_ns: int


def model_state(database: SqliteDatabase) -> ModelState | None:
    """The state of the model, None before one was checked."""
    for row in EmbeddingModel.select().execute(database):
        return ModelState(row.path, row.key, row.dimensions, row.milliseconds, row.failure, row.checked_ns)
    return None


def store_model_state(database: SqliteDatabase, state: ModelState) -> None:
    """Store the state of the model. Earlier measurements of the same model are kept."""
    before = model_state(database)
    values = asdict(state) | {"failure": state.failure}
    if before is not None and before.key == state.key and state.key:
        values["milliseconds"] = before.milliseconds
    EmbeddingModel.insert(id=1, **values).on_conflict_replace().execute(database)


def clear_model_state(database: SqliteDatabase) -> None:
    """Record that there is no model."""
    EmbeddingModel.delete().execute(database)


def vectors_of(database: SqliteDatabase, content_ids: Iterable[int], model: str, turns: int) -> dict[int, bytes]:
    """The vectors of these contents by a model, for at least this many turns; b"" for contents it could not embed."""
    found: dict[int, bytes] = {}
    for chunk in chunks(content_ids):
        rows = Vector.select(Vector.content, Vector.data).where(
            Vector.content.in_(chunk), Vector.model == model, Vector.turns >= turns
        )
        found.update((content_id, bytes(data)) for content_id, data in rows.tuples().execute(database))
    return found


def without_vectors(
    database: SqliteDatabase, detection_id: int, hash_scheme: str, least_detail: int, model: str, turns: int
) -> list[int]:
    """The contents with a file, hashes and enough detail, but without vectors by this model for this many turns."""
    rows = database.execute_sql(
        "SELECT id FROM content WHERE scheme = ? AND detail >= ? AND NOT EXISTS (SELECT 1 FROM absent"
        " WHERE absent.detection_id = ? AND absent.content_id = content.id) AND NOT EXISTS (SELECT 1 FROM vector"
        " WHERE vector.content_id = content.id AND vector.model = ? AND vector.turns >= ?) ORDER BY id",
        (hash_scheme, least_detail, detection_id, model, turns),
    )
    return [row[0] for row in rows]


def store_vectors(database: SqliteDatabase, model: str, turns: int, made: Mapping[int, bytes]) -> None:
    """Store vectors by content."""
    for chunk in chunks(made.items(), 200):
        rows = [{"content": content_id, "model": model, "turns": turns, "data": data} for content_id, data in chunk]
        Vector.insert_many(rows).on_conflict_replace().execute(database)


def remove_other_models(database: SqliteDatabase, model: str) -> None:
    """Remove the vectors of every other model."""
    Vector.delete().where(Vector.model != model).execute(database)


def remove_vectors(database: SqliteDatabase, content_ids: Collection[int]) -> None:
    """Remove the vectors of these contents, so that they are made again."""
    for chunk in chunks(content_ids):
        Vector.delete().where(Vector.content.in_(chunk)).execute(database)
