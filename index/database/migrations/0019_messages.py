"""What is said of problems, steps and jobs, by code: {"code", "params"} as JSON. Frozen: later changes are migrations.

A sentence of before becomes the code `text`, which stands for itself. What is such JSON already stays.
"""

COLUMNS = (
    ("root", "reason"),
    ("content", "failure_message"),
    ("problem", "message"),
    ("step", "message"),
    ("trash_home", "objection"),
    ("compression", "message"),
    ("job", "error"),
)


def up(migrator: object, db: object) -> None:
    for table, column in COLUMNS:
        db.execute_sql(  # type: ignore[attr-defined]
            f"UPDATE {table} SET {column} = json_object('code', 'text', 'params', json_object('text', {column}))"
            f" WHERE {column} <> '' AND NOT CASE WHEN json_valid({column}) AND substr({column}, 1, 1) = '{{'"
            f" THEN coalesce(json_type({column}, '$.params') = 'object', 0) ELSE 0 END"
        )
