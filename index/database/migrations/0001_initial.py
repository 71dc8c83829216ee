"""The first shape of the index. Frozen: later changes are migrations of their own."""

STATEMENTS = (
    """CREATE TABLE root (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        protected INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        watched INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        device INTEGER,
        walked_ns INTEGER
    )""",
    # AUTOINCREMENT: an id is never used twice, so that "every content up to here is matched" stays true.
    """CREATE TABLE content (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        format TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        mode TEXT NOT NULL,
        orientation INTEGER NOT NULL,
        taken TEXT NOT NULL,
        camera TEXT NOT NULL,
        jpeg_quality INTEGER NOT NULL,
        detail INTEGER NOT NULL,
        frames INTEGER NOT NULL,
        metadata TEXT NOT NULL,
        scheme TEXT NOT NULL,
        hash8 BLOB,
        hash16 BLOB,
        hash32 BLOB,
        pixel_digest BLOB,
        failure TEXT NOT NULL,
        failure_message TEXT NOT NULL
    )""",
    "CREATE INDEX content_size ON content (size_bytes)",
    # Hashes of a part of the picture (the inside of a frame, say), each with the scheme and role that made it.
    """CREATE TABLE region (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        hash8 BLOB NOT NULL,
        hash16 BLOB NOT NULL,
        hash32 BLOB NOT NULL
    )""",
    "CREATE INDEX region_content ON region (content_id)",
    """CREATE TABLE feature (
        content_id INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE,
        scheme TEXT NOT NULL,
        blob BLOB NOT NULL
    )""",
    """CREATE TABLE image (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root_id INTEGER NOT NULL REFERENCES root (id),
        path BLOB NOT NULL UNIQUE,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        content_id INTEGER REFERENCES content (id),
        indexed_ns INTEGER NOT NULL
    )""",
    "CREATE INDEX image_content ON image (content_id)",
    "CREATE INDEX image_inode ON image (device, inode)",
    "CREATE INDEX image_root ON image (root_id)",
    """CREATE TABLE problem (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root_id INTEGER NOT NULL REFERENCES root (id),
        path BLOB NOT NULL UNIQUE,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        at_ns INTEGER NOT NULL
    )""",
    """CREATE TABLE detection (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        parameters TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        finished_ns INTEGER,
        watermark INTEGER NOT NULL,
        current INTEGER NOT NULL,
        calibration TEXT NOT NULL
    )""",
    # What the verifier said of a pair, whatever detection proposed it: looked at once, remembered.
    """CREATE TABLE judgement (
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        verifier TEXT NOT NULL,
        kind TEXT NOT NULL,
        turn TEXT NOT NULL,
        confidence REAL NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (a_id, b_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX judgement_b ON judgement (b_id)",
    """CREATE TABLE match (
        detection_id INTEGER NOT NULL REFERENCES detection (id) ON DELETE CASCADE,
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        distance INTEGER NOT NULL,
        turn TEXT NOT NULL,
        confidence REAL NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (detection_id, a_id, b_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX match_b ON match (detection_id, b_id)",
    # How many pairs were proposed at each distance, and what became of them: what the expectations are made from.
    """CREATE TABLE tally (
        detection_id INTEGER NOT NULL REFERENCES detection (id) ON DELETE CASCADE,
        distance INTEGER NOT NULL,
        proposed INTEGER NOT NULL,
        near INTEGER NOT NULL,
        possible INTEGER NOT NULL,
        PRIMARY KEY (detection_id, distance)
    ) WITHOUT ROWID""",
    """CREATE TABLE duplicate_group (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        detection_id INTEGER NOT NULL REFERENCES detection (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        reference_id INTEGER NOT NULL REFERENCES content (id),
        images INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        reclaimable_bytes INTEGER NOT NULL,
        confidence REAL NOT NULL,
        newest_ns INTEGER NOT NULL,
        changed_ns INTEGER NOT NULL,
        UNIQUE (detection_id, key)
    )""",
    """CREATE TABLE member (
        group_id INTEGER NOT NULL REFERENCES duplicate_group (id) ON DELETE CASCADE,
        content_id INTEGER NOT NULL REFERENCES content (id),
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        distance INTEGER NOT NULL,
        turn TEXT NOT NULL,
        PRIMARY KEY (group_id, content_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX member_content ON member (content_id)",
    # By content, not by path or row: a verdict survives moves, renames and rescans.
    """CREATE TABLE verdict (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        a_digest BLOB NOT NULL,
        b_digest BLOB NOT NULL,
        label TEXT NOT NULL,
        note TEXT NOT NULL,
        batch TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        UNIQUE (a_digest, b_digest)
    )""",
    "CREATE INDEX verdict_b ON verdict (b_digest)",
    """CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        origin TEXT NOT NULL,
        priority INTEGER NOT NULL,
        parameters TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        started_ns INTEGER,
        finished_ns INTEGER,
        phase TEXT NOT NULL,
        done INTEGER NOT NULL,
        total INTEGER,
        rate REAL,
        cancel_requested INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        error TEXT NOT NULL
    )""",
    "CREATE INDEX job_state ON job (state, priority, id)",
    """CREATE TABLE schedule (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        parameters TEXT NOT NULL,
        trigger TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        origin TEXT NOT NULL,
        last_run_ns INTEGER
    )""",
    """CREATE TABLE setting (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
