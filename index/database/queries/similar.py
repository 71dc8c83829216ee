"""The pictures most similar to one, by the cosine of their vectors: all of the index, read in pieces."""

from dataclasses import dataclass

import numpy as np
from peewee import SqliteDatabase

from index.database.records.vectors import model_state
from index.imaging.candidates.perceptual_hash import LEAST_DETAIL
from index.imaging.embedding.vectors import cosines
from index.messages import Message

# Vectors read and compared at a time: some megabytes.
AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class SimilarContent:
    """A content and its cosine with the one requested."""

    content_id: int
    cosine: float


def similar_contents(
    database: SqliteDatabase, content_id: int, count: int, least: float
) -> list[SimilarContent] | None:
    """The `count` contents with a file that are most similar to one, with a cosine of at least `least`, the most
    similar first and, at equal cosine, the first by id. None if that one has no vector by the present model. A million
    takes about a second."""
    state = model_state(database)
    own = (
        None
        if state is None or not state.key
        else database.execute_sql(
            "SELECT data FROM vector WHERE content_id = ? AND model = ?", (content_id, state.key)
        ).fetchone()
    )
    if state is None or own is None or len(own[0]) < state.dimensions:
        return None
    query = np.frombuffer(own[0], np.int8, state.dimensions)
    best: list[tuple[float, int]] = []
    last = 0
    while rows := database.execute_sql(
        "SELECT content_id, substr(data, 1, ?) FROM vector v WHERE content_id > ? AND model = ? AND length(data) >= ?"
        " AND EXISTS (SELECT 1 FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        " WHERE i.content_id = v.content_id) ORDER BY content_id LIMIT ?",
        (state.dimensions, last, state.key, state.dimensions, AT_ONCE),
    ).fetchall():
        last = rows[-1][0]
        vectors = np.frombuffer(b"".join(data for _, data in rows), np.int8).reshape(len(rows), -1)
        likeness = cosines(vectors, query)
        nearest = np.argsort(-likeness, kind="stable")[: count + 1].tolist()
        found = [(float(likeness[k]), rows[k][0]) for k in nearest if likeness[k] >= least]
        others = [one for one in found if one[1] != content_id]
        best = sorted([*best, *others], key=lambda one: (-one[0], one[1]))[:count]
    return [SimilarContent(number, round(cosine, 4)) for cosine, number in best]


def reason_without(database: SqliteDatabase, content_id: int) -> Message:
    """Why a content has no vector by the present model."""
    state = model_state(database)
    if state is None:
        return Message("similar.no_model")
    if state.failure is not None:
        return Message("similar.model_fails", problem=state.failure)
    failure, detail, is_known = database.execute_sql(
        "SELECT failure, detail, EXISTS (SELECT 1 FROM vector WHERE content_id = content.id AND model = ?)"
        " FROM content WHERE id = ?",
        (state.key, content_id),
    ).fetchone()
    if failure:
        return Message("similar.unreadable")
    if is_known:
        return Message("similar.no_vector")
    return Message("similar.flat" if detail < LEAST_DETAIL else "similar.not_yet")
