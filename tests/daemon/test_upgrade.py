"""Another version takes over an index: what people did is kept, what it hashes otherwise is read again, and said."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from daemon.client import Client
from daemon.service import Service
from index.database import journal_schema, schema
from index.database.queries import job_listing, listing
from index.database.queries.job_listing import ProblemFilter
from index.database.records import batches
from index.database.store import Store
from index.database.upkeep import upgrade
from index.imaging.candidates.perceptual_hash import SCHEME
from index.messages import Message, render, text, to_json
from support.pictures import photograph, save
from support.serving import config_over, until


def settled(service: Service, seen: int = 0) -> bool:
    """Whether all jobs are done, more of them than were seen before."""
    jobs = list(Client(service.address).pages("jobs"))
    return len(jobs) > seen and all(job["state"] == "done" for job in jobs)


def group(service: Service) -> dict[str, Any]:
    (only_group,) = Client(service.address).pages("groups")
    return dict(only_group)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    first = save(photograph(1), tmp_path / "photos" / "a.png")
    save(photograph(1).resize((320, 240)), first.with_name("smaller.png"))
    save(photograph(2), first.with_name("b.png"))
    save(photograph(2), first.with_name("b.jpg"))
    return first.parent


def test_hashes_of_another_version_are_recalculated_and_verdicts_kept(
    tmp_path: Path, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_over(tmp_path, photos)
    with Service(config) as service:
        until(lambda: settled(service) and Client(service.address).get("groups")["total"] == 2)
        keys = [row["id"] for row in Client(service.address).pages("groups")]
        Client(service.address).post(f"groups/{keys[0]}/not-duplicates", {})
        until(lambda: Client(service.address).get("groups")["total"] == 1)
        before = group(service)["id"]
        seen = len(list(Client(service.address).pages("jobs")))
    with Store(tmp_path / "data") as store:
        store.write(age)
    with caplog.at_level(logging.WARNING), Service(config) as service:
        until(lambda: settled(service, seen) and Client(service.address).get("groups")["total"] == 1)
        assert group(service)["id"] == before, "the same group, and what was denied is still denied"
        jobs = list(Client(service.address).pages("jobs"))
        assert jobs[0]["outcome"]["read"] == 4
    assert "4 files are read again" in caplog.text
    with Store(tmp_path / "data") as store, store.read() as database:
        assert database.execute_sql("SELECT DISTINCT scheme FROM content").fetchall() == [(SCHEME,)]
        assert database.execute_sql("SELECT count(*) FROM content").fetchone() == (4,)
        assert database.execute_sql("SELECT count(*) FROM verdict").fetchone() == (1,)
    caplog.clear()
    with caplog.at_level(logging.WARNING), Service(config) as service:
        until(lambda: settled(service, len(jobs)))
        assert next(iter(Client(service.address).pages("jobs")))["outcome"]["read"] == 0
    assert "read again" not in caplog.text


def age(database: Any) -> None:
    """Make the index one of another scheme, with hashes that lead nowhere."""
    database.execute_sql("UPDATE content SET scheme = 'phash/0', hash16 = zeroblob(128)")
    for detection_id, parameters in database.execute_sql("SELECT id, parameters FROM detection").fetchall():
        changed = json.loads(parameters) | {"made_by": ["phash/0", "another"]}
        database.execute_sql("UPDATE detection SET parameters = ? WHERE id = ?", (json.dumps(changed), detection_id))


def test_an_index_of_the_first_version_is_brought_up_to_date_with_a_copy_before(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its tables as the first version made them, with rows in them."""
    first = tmp_path / "first"
    first.mkdir()
    (first / "0001_initial.py").write_bytes((upgrade.MIGRATIONS / "0001_initial.py").read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", first)
        with Store(tmp_path / "data") as store:
            store.write(lambda db: db.execute_sql(
                "INSERT INTO verdict (a_digest, b_digest, label, note, batch, created_ns)"
                " VALUES (x'01', x'02', 'not_duplicates', 'said long ago', 'x', 1)"
            ))  # fmt: skip
    with caplog.at_level(logging.INFO), Service(config_over(tmp_path, photos)) as service:
        until(lambda: settled(service) and Client(service.address).get("groups")["total"] == 2)
    assert "kept a copy of the index before" in caplog.text
    assert list((tmp_path / "data" / "backups").glob("*-before-*.sqlite3"))
    with Store(tmp_path / "data") as store, store.read() as database:
        assert database.execute_sql("SELECT note FROM verdict").fetchall() == [("said long ago",)]


def test_sentences_of_before_are_shown_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index whose messages are English sentences, and not codes with parameters."""
    before = tmp_path / "before"
    before.mkdir()
    for file in upgrade.MIGRATIONS.glob("[0-9]*.py"):
        if file.stem < "0019":
            (before / file.name).write_bytes(file.read_bytes())
    coded = to_json(Message("step.offline"))
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", before)
        with Store(tmp_path / "data") as store:
            store.write(lambda db: add_sentences(db, coded))
    with Store(tmp_path / "data") as store, store.read() as database:
        (root,) = listing.roots(database)
        assert root.reason == text("cannot be listed: Permission denied")
        (problem,) = job_listing.problems_page(database, ProblemFilter()).items
        assert problem.message == text('truncated "JPEG" {x} \\ é')
        assert render(problem.message, "fr") == 'truncated "JPEG" {x} \\ é'
        steps = batches.steps_of(database, 1)
        assert [step.message for step in steps] == [text("It changed."), None, Message("step.offline")]
        assert [job["error"] for job in job_listing.jobs_page(database).items] == [None, text("It ended.")]
        assert database.execute_sql("SELECT message FROM step WHERE id = 3").fetchone() == (coded,)


def add_sentences(database: Any, coded: str) -> None:
    """Rows with messages, as they were written before there were codes; `coded` is one of a later version."""
    database.execute_sql(
        "INSERT INTO root (id, path, protected, configured, priority, watched, state, reason)"
        " VALUES (1, x'2f61', 0, 0, 0, 1, 'offline', 'cannot be listed: Permission denied')"
    )
    database.execute_sql(
        "INSERT INTO problem (root_id, path, reason, message, at_ns) VALUES (1, x'2f61', 'truncated', ?, 1)",
        ('truncated "JPEG" {x} \\ é',),
    )
    database.execute_sql("INSERT INTO batch (id, name, kind, state, created_ns) VALUES (1, 'b', 'sort', 'done', 1)")
    for message in ("It changed.", "", coded):
        journal_schema.Step.insert(
            batch=1, action="trash", path=b"/a", device=1, inode=1, size_bytes=1, mtime_ns=1, state="refused"
        ).execute(database)
        database.execute_sql("UPDATE step SET message = ? WHERE id = (SELECT max(id) FROM step)", (message,))
    for error in ("It ended.", ""):
        schema.Job.insert(kind="scan", state="failed", origin="user", parameters="{}", created_ns=1).execute(database)
        database.execute_sql("UPDATE job SET error = ? WHERE id = (SELECT max(id) FROM job)", (error,))
