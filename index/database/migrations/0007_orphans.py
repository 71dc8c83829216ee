"""Indexes by which the matches of a content are found when it is forgotten. Frozen: later changes are migrations."""

STATEMENTS = (
    "CREATE INDEX match_a_content ON match (a_id)",
    "CREATE INDEX match_b_content ON match (b_id)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
