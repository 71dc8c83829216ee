"""Which image was to stay when an image was decided to go to the trash. Frozen: later changes are migrations.

Earlier decisions have none: any image that stays in their group will do for them, as before.
"""

STATEMENTS = (
    "ALTER TABLE decision ADD COLUMN keeper BLOB",
    # A compressed image is another content: the decisions that rely on it follow.
    "CREATE INDEX decision_keeper ON decision (keeper) WHERE keeper IS NOT NULL",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
