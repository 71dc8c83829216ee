"""Standard names for compression options and for deskewed parts. Frozen: later changes are migrations."""

STATEMENTS = (
    "ALTER TABLE compression RENAME COLUMN wish TO options_key",
    "UPDATE region SET role = 'deskewed' WHERE role = 'levelled'",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
