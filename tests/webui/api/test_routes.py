"""Every route over a small index: what it answers, and what it refuses."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.database import schema
from index.database.records import disks, jobs, random_pairs
from index.database.store import Store
from index.messages import text
from index.model import Attachment, JobKind, JobState, Kind, Turn
from support.weblibrary import NOW_NS, Daemon, Library, WebClient, draw_picture, jpeg_bytes, make_client
from webui.app import make_app
from webui.schemas import path_bytes, path_text, path_uri


@pytest.fixture
def group(library: Library) -> str:
    """A picture with an exact copy, and a smaller mirrored one, on disk."""
    picture = draw_picture(1)
    library.add_file("2019/a.jpg", jpeg_bytes(picture))
    library.add_file("backup/a.jpg", jpeg_bytes(picture))
    library.add_file("2019/small.jpg", jpeg_bytes(picture.resize((160, 120))))
    return library.add_group(1, (2, Kind.NEAR, 6, Turn.FLIP_HORIZONTAL), images=3)


# Status, health


def test_status_shows_figures_parameters_and_active_jobs(client: WebClient, library: Library, group: str) -> None:
    library.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "user"))
    status = client.get("/api/v1/status").json
    assert status["components"] == {"Python": "3.11.2", "Pillow": "13.0.0"}
    assert status["totals"] == {
        "images": 3, "size_bytes": status["totals"]["size_bytes"], "groups": 1, "duplicates": 2,
        "reclaimable_bytes": 2000, "problems": 0,
    }  # fmt: skip
    assert status["detection"]["hsize"] == 16
    assert [job["kind"] for job in status["jobs"]] == ["scan"]
    assert status["healthy"] is True
    assert status["now"] == "2023-11-14T22:13:20.000Z"


def test_status_of_an_empty_index_has_no_detection(store: Store, daemon: Daemon) -> None:
    status = make_client(store, daemon).get("/api/v1/status").json
    assert status["detection"] is None
    assert status["totals"]["images"] == 0


def test_images_of_a_root_that_left_the_configuration_do_not_count(
    client: WebClient, library: Library, group: str
) -> None:
    library.write(lambda db: schema.Root.update(watched=False).execute(db))
    assert client.get("/api/v1/status").json["totals"]["images"] == 0
    assert client.get("/api/v1/roots").json["items"] == []
    assert client.get("/api/v1/images/1").status == 404


def test_health_fails_with_503_when_a_part_is_dead(client: WebClient, daemon: Daemon) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    daemon.parts["runner"] = False
    assert client.get("/healthz").status == 503
    assert client.get("/api/v1/status").json["healthy"] is False


def test_roots_show_what_they_hold(client: WebClient, library: Library, group: str) -> None:
    library.add_root(Path("/nas"), state="offline", reason=text("not mounted"), protected=True)
    library.add_problem("x.jpg")
    nas, photos = sorted(client.get("/api/v1/roots").json["items"], key=lambda root: root["images"])
    assert (nas["state"], nas["reason"], nas["protected"], nas["images"]) == ("offline", "not mounted", True, 0)
    assert (photos["images"], photos["problems"], photos["mode"]) == (3, 1, "native")


def test_every_list_is_paged_by_its_cursor(client: WebClient, library: Library) -> None:
    for number in range(3):
        library.add_root(Path(f"/root{number}"))
        library.add_problem(f"bad{number}.jpg", at_ns=NOW_NS + number)
        library.write(lambda db, n=number: jobs.add(db, JobKind.SCAN, {"paths": [str(n)]}, "user"))
        client.send("POST", "/api/v1/schedules", {"name": f"s{number}", "kind": "scan", "trigger": "every 1h"})
    for path, total in (("roots", 4), ("problems", 3), ("jobs", 3), ("schedules", 3), ("settings", 3)):
        seen: list[Any] = []
        cursor = ""
        while cursor is not None:
            page = client.get(f"/api/v1/{path}?limit=2&cursor={cursor}").json
            assert len(page["items"]) <= 2
            assert page["total"] == total
            seen += [json.dumps(item) for item in page["items"]]
            cursor = page["next"]
        assert len(seen) == len(set(seen)) == total, path


@pytest.mark.parametrize("path", ["roots", "problems", "jobs", "schedules", "settings", "groups"])
@pytest.mark.parametrize("cursor", ["x", "WyJncm91cHMiXQ", "bnVsbA", "////", "W10"])
def test_a_made_up_cursor_is_refused(client: WebClient, path: str, cursor: str) -> None:
    answer = client.get(f"/api/v1/{path}?cursor={cursor}")
    assert (answer.status, answer.error["field"]) == (400, "cursor")


def test_a_cursor_of_another_order_is_refused(client: WebClient, library: Library) -> None:
    for number in range(3):
        content = library.add_content(number)
        library.add_image(content, f"{number}.jpg")
        library.add_group(content)
    cursor = client.get("/api/v1/groups?limit=1&sort=size").json["next"]
    assert client.get(f"/api/v1/groups?limit=1&sort=size&cursor={cursor}").status == 200
    assert client.get(f"/api/v1/groups?limit=1&sort=date&cursor={cursor}").status == 400


# Groups


def test_groups_are_listed_with_their_first_images(client: WebClient, group: str) -> None:
    page = client.get("/api/v1/groups?images=2").json
    assert (page["total"], page["next"], page["kinds"]) == (1, None, {"near": 1})
    (listed,) = page["items"]
    assert (listed["id"], listed["kind"], listed["reclaimable_bytes"]) == (group, "near", 2000)
    assert listed["images"]["total"] == 3
    assert listed["images"]["next"] is not None
    first, copy = listed["images"]["items"]
    assert (first["reference"], first["kind"], first["distance"], first["copy_of"]) == (True, "exact", 0, None)
    assert (first["evidence"], first["sentence"]) == ({}, None)
    assert (copy["reference"], copy["kind"], copy["copy_of"]) == (False, "exact", first["id"])


def test_a_group_shows_what_to_keep_and_which_match_is_weakest(client: WebClient, group: str) -> None:
    listed = client.get("/api/v1/groups").json["items"][0]
    detail = client.get(f"/api/v1/groups/{group}").json
    first, copy, small = detail["images"]["items"]
    proposal = detail["proposal"]
    # The smaller is no proof: the pictures themselves were not compared here.
    assert (proposal["image"], proposal["tie"], proposal["original_absent"]) == (first["id"], True, False)
    assert 0.5 <= proposal["certainty"] < 0.95
    assert proposal["decided_by"] == proposal["reasons"][-1]["criterion"] in ("age", "path")
    assert detail["weakest"] == {"image": small["id"], "kind": "near", "confidence": 0.97, "distance": 6}
    assert (listed["proposal"], listed["weakest"]) == (proposal, detail["weakest"])
    assert copy["id"] != proposal["image"]


def test_the_proposal_follows_the_settings(store: Store, daemon: Daemon, library: Library, group: str) -> None:
    asked = replace(daemon.services(store), keeper_criteria=lambda: ("path",))
    app = make_app(store, asked)
    proposal = WebClient(app).get(f"/api/v1/groups/{group}").json["proposal"]
    app.close()
    assert (proposal["image"], proposal["decided_by"], len(proposal["reasons"])) == (1, "path", 1)


def test_one_group_shows_evidence_and_goes_on_where_the_list_stopped(client: WebClient, group: str) -> None:
    start = client.get("/api/v1/groups?images=2").json["items"][0]["images"]
    rest = client.get(f"/api/v1/groups/{group}?cursor={start['next']}").json["images"]
    assert rest["next"] is None
    (near,) = rest["items"]
    assert (near["kind"], near["distance"], near["turn"], near["reference"]) == ("near", 6, "flip_horizontal", False)
    assert near["evidence"] == {"scale": 0.5}
    assert near["sentence"] == {"en": "half the size", "fr": "réduite de moitié"}
    assert (near["width"], near["height"]) == (160, 120)


def test_an_image_shows_what_it_was_saved_as_before(client: WebClient, library: Library) -> None:
    again = library.add_image(library.add_content(71, jpeg_quality=95, earlier_quality=59), "again.jpg")
    once = library.add_image(library.add_content(72), "once.jpg")
    images = [client.get(f"/api/v1/images/{image}").json for image in (again, once)]
    assert [(image["jpeg_quality"], image["earlier_quality"]) for image in images] == [(95, 59), (92, None)]


def test_an_image_shows_what_else_its_file_holds(client: WebClient, library: Library) -> None:
    parts = (Attachment("film", 163_864, "a"), Attachment("gain_map", 23_000, "b"))
    more = {"bit_depth": 16, "transparent": True, "attachments": parts, "damage": "IDAT: CRC error"}
    image = client.get(f"/api/v1/images/{library.add_image(library.add_content(73, **more), 'more.jpg')}").json
    assert image["attachments"] == [
        {"kind": "film", "size_bytes": 163_864},
        {"kind": "gain_map", "size_bytes": 23_000},
    ]
    assert (image["bit_depth"], image["transparent"], image["damage"]) == (16, True, "IDAT: CRC error")
    assert (image["failure"], image["thumbnail"] is not None) == (None, True), "it is shown"
    plain = client.get(f"/api/v1/images/{library.add_image(library.add_content(74), 'plain.jpg')}").json
    assert (plain["bit_depth"], plain["transparent"], plain["attachments"], plain["damage"]) == (8, False, [], None)


def test_a_group_gives_its_neighbours_in_the_requested_list(client: WebClient, library: Library) -> None:
    keys = []
    for number in range(4):
        content = library.add_content(number)
        library.add_image(content, f"{number}.jpg")
        keys.append(library.add_group(content, reclaimable_bytes=100 * number, confidence=1 - number / 10))
    detail = client.get(f"/api/v1/groups/{keys[1]}").json
    assert (detail["previous"], detail["following"]) == (keys[2], keys[0])
    detail = client.get(f"/api/v1/groups/{keys[1]}?sort=confidence").json
    assert (detail["previous"], detail["following"]) == (keys[0], keys[2])
    assert client.get(f"/api/v1/groups/{keys[3]}").json["previous"] is None


def test_a_group_that_is_gone_is_404(client: WebClient, group: str) -> None:
    answer = client.get("/api/v1/groups/0123456789abcdef")
    assert (answer.status, answer.error["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query", ["kind=same", "sort=name", "order=up", "min_images=1", "limit=0", "limit=201", "root=x", "root=null",
              "page=2", "limit=1&limit=2"],
)  # fmt: skip
def test_wrong_queries_are_refused_and_name_the_parameter(client: WebClient, query: str) -> None:
    answer = client.get(f"/api/v1/groups?{query}")
    assert (answer.status, answer.error["field"]) == (400, query.split("=", maxsplit=1)[0])


def test_duplicates_are_the_result_file(client: WebClient, group: str) -> None:
    document = client.get("/api/v1/duplicates").json
    assert document["format"] == "comparimg/1"
    assert [image["reference"] for image in document["groups"][0]["images"]] == [True, False, False]


def test_duplicates_are_given_as_csv_and_as_text(client: WebClient, group: str, library: Library) -> None:
    rows = client.get("/api/v1/duplicates?format=csv")
    assert rows.headers["Content-Type"].startswith("text/csv")
    assert "duplicates.csv" in rows.headers["Content-Disposition"]
    paths = [row["path"] for row in csv.DictReader(io.StringIO(rows.body.decode()))]
    assert len(paths) == 3
    everything = client.get("/api/v1/duplicates?format=text&kind=exact,pixels,near,possible").body.decode()
    assert everything.splitlines() == paths
    certain = client.get("/api/v1/duplicates?format=text").body.decode().splitlines()
    assert sorted(certain) == [f"{library.folder}/2019/a.jpg", f"{library.folder}/backup/a.jpg"]
    assert client.get("/api/v1/duplicates?format=xml").status == 400


# Images


def test_an_image_shows_facts_hashes_and_groups(client: WebClient, group: str, library: Library) -> None:
    image = client.get("/api/v1/images/1").json
    assert image["path"] == f"{library.folder}/2019/a.jpg"
    assert (image["format"], image["camera"], image["taken"]) == ("JPEG", "Canon EOS 80D", "2019-07-14T10:31:02")
    assert image["groups"] == [group]
    assert set(image["hashes"]) == {"8", "16", "32"}
    assert len(image["hashes"]["16"]) == 64


def test_another_path_to_the_same_file_is_no_image_of_its_own(client: WebClient, library: Library) -> None:
    content = library.add_content(1)
    library.add_image(content, "a.jpg", inode=7)
    library.add_image(content, "b.jpg", inode=7)
    library.add_image(content, "c.jpg", inode=8)
    key = library.add_group(content)
    images = client.get(f"/api/v1/groups/{key}").json["images"]["items"]
    assert [Path(image["path"]).name for image in images] == ["a.jpg", "c.jpg"]
    assert [[Path(path).name for path in image["also_at"]] for image in images] == [["b.jpg"], []]


def test_paths_that_are_no_utf8_survive_the_round_trip(client: WebClient, library: Library) -> None:
    name = b"caf\xe9 \xff\n\xf0\x9f\x98\x80.jpg"
    library.add_file(name, jpeg_bytes(draw_picture(1)))
    image = client.get("/api/v1/images/1").json
    exact = bytes(library.folder) + b"/" + name
    assert path_bytes(image["uri"]) == exact
    assert image["path"] == path_text(exact)
    image["path"].encode()
    assert client.get("/api/v1/images/1/content").status == 200
    job = client.send("POST", "/api/v1/jobs", {"kind": "scan", "parameters": {"paths": [image["uri"]]}}).json
    assert job["parameters"]["paths"] == [image["uri"]]
    with library.store.read() as database:
        kept = json.loads(jobs.read(database, job["id"])["parameters"])["paths"]
    assert [path.encode("utf-8", "surrogateescape") for path in kept] == [exact]


def test_uris_and_paths_mean_the_same() -> None:
    for path in (b"/a b/c%20d", b"/\xff/%", "/é/#?".encode()):
        assert path_bytes(path_uri(path)) == path
        assert path_bytes(path.decode("utf-8", "surrogateescape")) == path


def test_an_image_that_could_not_be_read_has_no_view(client: WebClient, library: Library, daemon: Daemon) -> None:
    content = library.add_content(
        1, failure="truncated", failure_message=text("It ends too early."), format="", width=0
    )
    library.add_image(content, "broken.jpg")
    library.add_image(None, "locked.jpg")
    image = client.get("/api/v1/images/1").json
    assert (image["failure"], image["thumbnail"], image["width"]) == ("truncated", None, 0)
    assert client.get("/api/v1/images/1/thumbnail").error["code"] == "no_view"
    assert client.get("/api/v1/images/2").json["failure"] == "unreadable"
    assert client.get("/api/v1/images/2/thumbnail").status == 404
    assert daemon.views_made == []


# Jobs


def test_a_job_is_queued_followed_and_cancelled(client: WebClient) -> None:
    answer = client.send("POST", "/api/v1/jobs", {"kind": "detect", "parameters": {"hsize": 8, "tolerance": 4}})
    assert (answer.status, answer.headers["Location"]) == (202, "/api/v1/jobs/1")
    job = client.get(answer.headers["Location"]).json
    assert (job["state"], job["origin"], job["parameters"]) == ("queued", "user", {"hsize": 8, "tolerance": 4})
    assert client.send("DELETE", "/api/v1/jobs/1").json["state"] == "cancelled"
    assert client.send("DELETE", "/api/v1/jobs/1").status == 200


def test_a_running_job_shows_rate_and_time_left_and_accepts_a_cancel_request(
    client: WebClient, library: Library
) -> None:
    library.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "start"))
    library.write(
        lambda db: jobs.update(
            db, 1, state=JobState.RUNNING, started_ns=NOW_NS, phase="reading", done=30, total=100, rate=7.0
        )
    )
    job = client.get("/api/v1/jobs/1").json
    assert (job["done"], job["total"], job["rate"], job["left_s"], job["phase"]) == (30, 100, 7.0, 10, "reading")
    job = client.send("DELETE", "/api/v1/jobs/1").json
    assert (job["state"], job["cancel_requested"]) == ("running", True)


def test_an_ended_job_cannot_be_cancelled(client: WebClient, library: Library) -> None:
    library.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "start"))
    library.write(lambda db: jobs.update(db, 1, state=JobState.DONE, finished_ns=NOW_NS))
    answer = client.send("DELETE", "/api/v1/jobs/1")
    assert (answer.status, answer.error["code"]) == (409, "job_ended")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "dance"}, "kind"),
        ({"kind": "empty"}, "kind"),
        ({"kind": "sort", "parameters": {"dry_run": "yes"}}, "parameters.dry_run"),
        ({"kind": "scan", "parameters": {"x": 1}}, "parameters.x"),
        ({"kind": "detect", "parameters": {"hsize": "big"}}, "parameters.hsize"),
        ({"kind": "detect", "parameters": {"hsize": 7}}, "parameters.hsize"),
        ({"kind": "detect", "parameters": {"hsize": 8, "tolerance": 65}}, "detect.tolerance"),
        ({"kind": "scan", "colour": "red"}, "colour"),
        ({"kind": "scan", "parameters": []}, "parameters"),
        ({"kind": "scan", "parameters": {"paths": ["\ud800"]}}, "path"),
        ([], None),
        (None, None),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(client: WebClient, body: Any, field: str | None) -> None:
    answer = client.send("POST", "/api/v1/jobs", body)
    assert (answer.status, answer.error["field"]) == (400, field)
    assert client.get("/api/v1/jobs").json["total"] == 0


def test_jobs_are_filtered_by_state_and_kind(client: WebClient, library: Library) -> None:
    for kind in (JobKind.SCAN, JobKind.DETECT):
        library.write(lambda db, kind=kind: jobs.add(db, kind, {}, "user"))
    library.write(lambda db: jobs.update(db, 1, state=JobState.DONE))
    assert [job["id"] for job in client.get("/api/v1/jobs?state=queued,running").json["items"]] == [2]
    assert [job["id"] for job in client.get("/api/v1/jobs?kind=scan").json["items"]] == [1]
    assert client.get("/api/v1/jobs?state=lost").status == 400
    assert client.get("/api/v1/jobs/99").status == 404


# Schedules


def test_a_schedule_is_made_changed_and_dropped(client: WebClient, daemon: Daemon) -> None:
    new = {"name": "nightly", "kind": "detect", "trigger": "0 3 * * *", "parameters": {"hsize": 16}}
    made = client.send("POST", "/api/v1/schedules", new)
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/schedules/1")
    assert made.json["next_run"] == "2023-11-14T23:13:20.000Z"
    changed = client.send("PUT", "/api/v1/schedules/1", {**new, "enabled": False})
    assert (changed.json["enabled"], changed.json["next_run"]) == (False, None)
    assert client.send("DELETE", "/api/v1/schedules/1").status == 204
    assert client.get("/api/v1/schedules").json["items"] == []
    assert daemon.refreshed == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [({"trigger": "now and then"}, "trigger"), ({"trigger": "every 1s"}, "trigger"), ({"kind": "undo"}, "kind"),
     ({"name": ""}, "name"), ({"parameters": {"x": 1}}, "parameters.x"), ({"name": "taken"}, "name")],
)  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused(client: WebClient, daemon: Daemon, change: Any, field: str) -> None:
    taken = {"name": "taken", "kind": "scan", "trigger": "every 6h"}
    client.send("POST", "/api/v1/schedules", taken)
    answer = client.send("POST", "/api/v1/schedules", {**taken, "name": "other", **change})
    assert (answer.status, answer.error["field"]) == (400, field)
    assert daemon.refreshed == 1


def test_a_schedule_of_the_file_may_be_switched_off_but_not_dropped(client: WebClient, library: Library) -> None:
    values = {"name": "file", "kind": "scan", "parameters": "{}", "trigger": "every 6h", "origin": "file"}
    library.write(lambda db: schema.Schedule.insert(**values).execute(db))
    assert client.send("DELETE", "/api/v1/schedules/1").status == 400
    body = {"name": "file", "kind": "scan", "trigger": "every 6h", "enabled": False}
    assert client.send("PUT", "/api/v1/schedules/1", body).json["origin"] == "user"
    assert client.send("DELETE", "/api/v1/schedules/7").status == 404
    assert client.send("PUT", "/api/v1/schedules/7", body).status == 404


# Settings, problems


def test_settings_are_changed_and_reset(client: WebClient) -> None:
    answer = client.send("PATCH", "/api/v1/settings", {"detect.hsize": 32})
    assert [(item["value"], item["origin"]) for item in answer.json["items"] if item["key"] == "detect.hsize"] == [
        (32, "override")
    ]
    answer = client.send("PATCH", "/api/v1/settings", {"detect.hsize": None})
    assert [item["value"] for item in answer.json["items"] if item["key"] == "detect.hsize"] == [16]


@pytest.mark.parametrize(
    ("body", "field"), [({"detect.hsize": 7}, "detect.hsize"), ({"x": 1}, "x"), ({}, None), ([], None)]
)
def test_wrong_settings_are_refused(client: WebClient, body: Any, field: str | None) -> None:
    answer = client.send("PATCH", "/api/v1/settings", body)
    assert (answer.status, answer.error["field"]) == (400, field)


def test_problems_are_filtered_and_counted_by_reason(client: WebClient, library: Library) -> None:
    library.add_problem("2019/a.jpg", "truncated", NOW_NS)
    library.add_problem("2020/b.jpg", "timeout", NOW_NS + 1)
    page = client.get("/api/v1/problems").json
    assert [Path(item["path"]).name for item in page["items"]] == ["b.jpg", "a.jpg"]
    assert page["reasons"] == {"truncated": 1, "timeout": 1}
    assert client.get("/api/v1/problems?reason=timeout").json["total"] == 1
    assert client.get(f"/api/v1/problems?path={library.folder}/2019").json["total"] == 1
    assert client.get("/api/v1/problems?root=2").json["total"] == 0


# Errors


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404), ("GET", "/api/v1/nowhere", 404), ("GET", "/api/v2/status", 404),
        ("POST", "/api/v1/status", 405), ("DELETE", "/api/v1/roots", 405), ("PUT", "/", 405),
        ("GET", "/api/v1/images/0", 404), ("GET", "/api/v1/images/x", 404), ("GET", "/static/x/../../app.py", 404),
        ("GET", "/api/v1/images/99999999999999999999", 404), ("GET", "/api/v1/status?x=1", 400),
    ],
)  # fmt: skip
def test_every_error_has_one_shape(client: WebClient, method: str, path: str, status: int) -> None:
    answer = client.ask(method, path, Content_Type="application/json")
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.error) == {"code", "message", "message_code", "message_params", "field", "hint"}
    assert answer.error["message"]
    if status == 405:
        assert answer.headers["Allow"]


def test_bad_json_is_refused(client: WebClient) -> None:
    for raw in (b"{", b"\xff", b"[" * 200_000, b""):
        answer = client.ask("POST", "/api/v1/jobs", raw, Content_Type="application/json")
        assert (answer.status, answer.error["code"]) == (400, "bad_json")


@pytest.mark.attack("errors that reveal the inside")
def test_a_failure_of_the_program_is_500_without_its_words(
    client: WebClient, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    content = library.add_content(1)
    library.add_image(content, "a.jpg")

    def fail(_: int) -> bytes:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(client.app._thumbnails, "_make", fail)
    answer = client.get("/api/v1/images/1/thumbnail")
    assert (answer.status, answer.error["code"]) == (500, "internal")
    assert b"secret" not in answer.body


def test_a_closed_index_is_503(client: WebClient, store: Store) -> None:
    store.close()
    answer = client.get("/api/v1/status")
    assert (answer.status, answer.error["code"]) == (503, "stopping")
    assert answer.headers["Retry-After"]


def test_the_calibration_of_this_library_is_reported(client: WebClient, library: Library) -> None:
    calibration = client.get("/api/v1/calibration?hsize=16").json
    assert (calibration["measured"], calibration["items"], calibration["images"]) == (None, [], 0)
    counts = {"16 turns": {90: 20, 100: 300, 115: 5000}, "16 plain": {120: 5320}}
    measurement = random_pairs.SampleMeasurement(NOW_NS, 1000, counts, judged=100, accepted=0)
    library.write(lambda db: random_pairs.store(db, library.detection_id, measurement))
    calibration = client.get("/api/v1/calibration?hsize=16").json
    assert (calibration["images"], calibration["pairs"], calibration["judged"], calibration["accepted"]) == (
        1000,
        5320,
        100,
        0,
    )
    assert [item["tolerance"] for item in calibration["items"]] == list(range(103))
    (one,) = client.get("/api/v1/calibration?tolerance=90").json["items"]
    assert one == calibration["items"][90]
    assert one["proposed"]["low"] < 20 / 5320 * 499_500 < one["proposed"]["high"]
    assert one["let_through"]["high"] < 0.05 * one["proposed"]["high"]
    assert client.get("/api/v1/calibration?tolerance=90&turns=false").json["items"][0]["proposed"]["guess"] < 10
    assert client.get("/api/v1/calibration?hsize=8").json["items"] == []
    answer = client.get("/api/v1/calibration?hsize=8&tolerance=65")
    assert (answer.status, answer.error["field"]) == (400, "tolerance")


def test_disks_that_are_away_are_listed_and_forgotten(client: WebClient, library: Library) -> None:
    library.add_file("a.jpg", jpeg_bytes(draw_picture(1)))

    def put_away(database: Any) -> None:
        folder = bytes(library.folder)
        disks.set_aside(database, 1, disks.DiskLocation(folder, "ext:1", b"/"), (), 10**18)
        disks.record(database, 1, disks.DiskLocation(folder, "ext:2", b"/"), 2 * 10**18)

    library.write(put_away)
    (disk,) = client.get("/api/v1/disks").json["items"]
    assert (disk["identity"], disk["images"], disk["decided"], disk["path"]) == ("ext:1", 1, 0, str(library.folder))
    assert client.get("/api/v1/roots").json["items"][0]["away_images"] == 1
    assert client.ask("DELETE", f"/api/v1/disks/{disk['id']}").status == 204
    assert client.get("/api/v1/disks").json["items"] == []
    assert client.ask("DELETE", f"/api/v1/disks/{disk['id']}").status == 404
    assert client.get("/api/v1/roots").json["items"][0]["away_images"] == 0
