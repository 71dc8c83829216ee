"""What a group frees by its proposal, and what the plan of a batch counted. Frozen: later changes are migrations."""

STATEMENTS = (
    # Until the proposal is known, what is stored is an estimate.
    "ALTER TABLE duplicate_group ADD COLUMN estimated INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX group_estimated ON duplicate_group (detection_id) WHERE estimated",
    # What proposals depend on beside the groups: the criteria, and which folders are protected or preferred.
    "ALTER TABLE detection ADD COLUMN proposed_by TEXT NOT NULL DEFAULT ''",
    # How many files a compression concerned, and passed over.
    "ALTER TABLE batch ADD COLUMN planned TEXT NOT NULL DEFAULT '{}'",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
