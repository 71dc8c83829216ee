"""GET /metrics is what Prometheus reads, and says what the index says."""

from prometheus_client.parser import text_string_to_metric_families

from index.database.store import Store
from index.model import Kind, Turn
from support.weblibrary import Daemon, Library, WebClient, make_client


def figures(client: WebClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.status == 200
    assert str(answer.headers["Content-Type"]).startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_index(client: WebClient, library: Library) -> None:
    first, second = library.add_content(1), library.add_content(2)
    library.add_image(first, "a.jpg")
    library.add_image(second, b'b \xff"\n.jpg')
    library.add_detection()
    library.add_group(first, (second, Kind.NEAR, 4, Turn.NONE), reclaimable_bytes=700)
    library.add_problem("broken.jpg", "truncated")
    client.send("POST", "/api/v1/jobs", {"kind": "scan"})
    values = figures(client)
    assert values["comparimg_images", ()] == 2
    assert values["comparimg_groups", (("kind", "near"),)] == 1
    assert values["comparimg_groups_decided", (("decided", "none"),)] == 1
    assert values["comparimg_reclaimable_bytes", (("kind", "near"),)] == 700
    assert values["comparimg_problems", (("reason", "truncated"),)] == 1
    assert values["comparimg_jobs", (("kind", "scan"), ("state", "queued"))] == 1
    assert values["comparimg_jobs_waiting", ()] == 1
    root = (("root", str(library.folder)),)
    assert values["comparimg_root_online", root] == 1
    assert values["comparimg_root_watched_folders", root] == 3
    assert values["comparimg_part_alive", (("part", "writer"),)] == 1
    assert values["comparimg_index_bytes", ()] > 0
    assert values["process_resident_memory_bytes", ()] > 0


def test_the_duration_of_the_last_job_is_reported(client: WebClient, library: Library) -> None:
    for number, (state, seconds) in enumerate((("done", 5), ("done", 7), ("failed", 1))):
        start_ns = number * 10**11
        library.write(
            lambda db, start_ns=start_ns, state=state, seconds=seconds: db.execute_sql(
                "INSERT INTO job (kind, state, origin, priority, parameters, created_ns, started_ns, finished_ns,"
                " phase, done, cancel_requested, attempts, outcome, error)"
                " VALUES ('scan', ?, 'user', 0, '{}', 0, ?, ?, '', 0, 0, 1, '{}', '')",
                (state, start_ns, start_ns + seconds * 10**9),
            )
        )
    values = figures(client)
    assert values["comparimg_job_last_duration_seconds", (("kind", "scan"), ("state", "done"))] == 7
    assert values["comparimg_job_last_duration_seconds", (("kind", "scan"), ("state", "failed"))] == 1


def test_an_empty_index_and_a_dead_part_are_reported(store: Store, daemon: Daemon) -> None:
    daemon.parts["runner"] = False
    values = figures(make_client(store, daemon))
    assert values["comparimg_images", ()] == 0
    assert values["comparimg_part_alive", (("part", "runner"),)] == 0


def test_folders_are_shown_to_no_one_without_the_token(store: Store, daemon: Daemon) -> None:
    guarded = make_client(store, daemon, token="the-right-token-of-all")
    assert guarded.get("/metrics").status == 401
    assert guarded.get("/metrics", Authorization="Bearer the-right-token-of-all").status == 200
