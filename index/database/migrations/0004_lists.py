"""What lists are sorted by, as indexes: a page is read where it begins. Frozen: later changes are migrations.

The old index on groups stays for their keys. Contents without a file are found by when they lost the last.
"""

STATEMENTS = (
    "CREATE INDEX group_reclaimable ON duplicate_group (detection_id, reclaimable_bytes, key)",
    "CREATE INDEX group_size ON duplicate_group (detection_id, size_bytes, key)",
    "CREATE INDEX group_confidence ON duplicate_group (detection_id, confidence, key)",
    "CREATE INDEX group_newest ON duplicate_group (detection_id, newest_ns, key)",
    "CREATE INDEX group_kind ON duplicate_group (detection_id, kind)",
    "CREATE INDEX group_reference ON duplicate_group (reference_id)",
    # Since when no image has it, to be forgotten some time later; null while one has.
    "ALTER TABLE content ADD COLUMN orphaned_ns INTEGER",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
