"""REST of deciding and sorting: decisions, rules, orders, batches, the trash, and what each refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.database import schema
from index.database.queries import rule_application
from index.database.records import batches, decisions, trash_items
from index.database.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.database.records.trash_items import Item
from index.database.store import Store
from index.messages import text
from index.model import Identity, Kind, Turn
from support.weblibrary import NOW_NS, Daemon, Library, WebClient
from webui.app import make_app


@pytest.fixture
def client(store: Store, daemon: Daemon, tmp_path: Path) -> Any:
    services = replace(
        daemon.services(store), destinations=lambda: {"best": bytes(tmp_path)}, retention_days=lambda: 30.0
    )
    made = WebClient(make_app(store, services, 0.1))
    yield made
    made.app.close()


@pytest.fixture
def group(library: Library) -> str:
    """A large picture, a smaller one, and a copy of the smaller one: images 1, 2 and 3."""
    large = library.add_content(1, width=4000, height=3000, size_bytes=9000)
    small = library.add_content(2, width=400, height=300, size_bytes=500)
    library.add_image(large, "a/large.jpg", size_bytes=9000)
    library.add_image(small, "a/small.jpg", size_bytes=500)
    library.add_image(small, "b/small.jpg", size_bytes=500)
    return library.add_group(large, (small, Kind.NEAR, 4, Turn.NONE), images=3, size_bytes=10_000,
                             reclaimable_bytes=1000)  # fmt: skip


def put(client: WebClient, group: str, *wanted: dict[str, Any]) -> Any:
    return client.send("PUT", f"/api/v1/groups/{group}/decisions", {"decisions": list(wanted)})


def decided(client: WebClient, group: str) -> dict[int, str | None]:
    items = client.get(f"/api/v1/groups/{group}").json["images"]["items"]
    return {one["id"]: one["decision"] and one["decision"]["choice"] for one in items}


# Decisions


@pytest.mark.parametrize("destination", [{}, {"destination": None}, {"destination": ""}])
def test_a_move_without_a_destination_asks_for_one(client: WebClient, group: str, destination: dict[str, Any]) -> None:
    """Everywhere in words, and never about a destination of no name."""
    answers = [
        put(client, group, {"image": 2, "choice": "move", **destination}),
        client.send("POST", "/api/v1/decisions/preview", {"action": "move", **destination}),
        client.send("POST", "/api/v1/decisions/apply", {"action": "move", "groups": [group], **destination}),
        client.send("POST", "/api/v1/decisions/jobs", {"action": "move", **destination}),
        client.send("POST", "/api/v1/rules/preview", {"choice": "move", **destination}),
        client.send("POST", "/api/v1/rules/apply", {"choice": "move", **destination}),
    ]
    for answer in answers:
        assert answer.status == 400, answer.json
        assert answer.error["message_code"] == "decision.destination_missing", answer.json


def test_decisions_are_made_listed_and_revoked(client: WebClient, group: str) -> None:
    assert client.get("/api/v1/groups").json["items"][0]["decided"] == "none"
    answer = put(client, group, {"image": 1, "choice": "keep"}, {"image": 2, "choice": "trash"}).json
    assert answer["decided"] == "partly"
    assert [(one["image"], one["choice"], one["origin"], one["stale"]) for one in answer["items"]] == [
        (1, "keep", "user", False), (2, "trash", "user", False),
    ]  # fmt: skip
    put(client, group, {"image": 3, "choice": "move", "destination": "best"})
    assert decided(client, group) == {1: "keep", 2: "trash", 3: "move"}
    assert client.get("/api/v1/groups").json["items"][0]["decided"] == "fully"
    review = client.get("/api/v1/review").json
    revision = review.pop("revision")
    assert review == {
        "groups": 1, "decided": 1, "reclaimable_bytes": 0, "planned_bytes": 500, "images_to_act": 2,
        "unwatched": [],
    }  # fmt: skip
    put(client, group, *({"image": number, "choice": "undecided"} for number in (1, 2, 3)))
    assert client.get("/api/v1/review").json["revision"] != revision
    assert client.get(f"/api/v1/groups/{group}/decisions").json == {"items": [], "decided": "none"}
    assert client.get("/api/v1/review").json["reclaimable_bytes"] == 1000


@pytest.mark.parametrize(("how", "found"), [("none", 0), ("partly", 1), ("fully", 0), ("partly,fully", 1)])
def test_groups_are_filtered_by_how_far_they_are_decided(client: WebClient, group: str, how: str, found: int) -> None:
    put(client, group, {"image": 2, "choice": "trash"})
    assert client.get(f"/api/v1/groups?decided={how}").json["total"] == found


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ([{"image": n, "choice": "trash"} for n in (1, 2, 3)], 409, "no_keeper"),
        ([{"image": 1, "choice": "link"}], 409, "not_exact"),
        ([{"image": 2, "choice": "link"}, {"image": 3, "choice": "trash"}], 409, "not_exact"),
        ([{"image": 99, "choice": "trash"}], 400, "bad_request"),
        ([{"image": 2, "choice": "burn"}], 400, "bad_request"),
        ([{"image": 2, "choice": "trash", "why": "x"}], 400, "bad_request"),
        ([{"image": 2, "choice": "move"}], 400, "bad_request"),
        ([{"image": 2, "choice": "move", "destination": "nowhere"}], 400, "bad_request"),
        ([{"image": 2, "choice": "trash", "destination": "best"}], 400, "bad_request"),
        ([{"image": 2, "choice": "trash"}, {"image": 2, "choice": "keep"}], 400, "bad_request"),
        ([], 400, "bad_request"),
    ],
)
def test_all_is_refused_where_one_is_wrong(
    client: WebClient, group: str, wanted: list[dict[str, Any]], status: int, code: str
) -> None:
    put(client, group, {"image": 3, "choice": "keep"})
    answer = put(client, group, *wanted)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert decided(client, group) == {1: None, 2: None, 3: "keep"}, "nothing has changed"


def test_an_equal_file_may_be_linked(client: WebClient, group: str) -> None:
    assert put(client, group, {"image": 3, "choice": "link"}).status == 200
    assert put(client, group, {"image": 2, "choice": "trash"}).status == 200, "the job looks once more"


def test_what_is_protected_is_not_decided_away(client: WebClient, library: Library, group: str) -> None:
    library.write(lambda db: db.execute_sql("UPDATE root SET protected = 1"))
    answer = put(client, group, {"image": 2, "choice": "trash"})
    assert (answer.status, answer.error["code"]) == (409, "protected")
    assert put(client, group, {"image": 2, "choice": "keep"}).status == 200


def test_a_group_that_is_not_there_is_404(client: WebClient, group: str) -> None:
    assert put(client, "0" * 16, {"image": 1, "choice": "keep"}).status == 404
    assert client.get(f"/api/v1/groups/{'0' * 16}/decisions").status == 404


def test_two_groups_with_an_image_in_common_both_keep_one(client: WebClient, library: Library, group: str) -> None:
    third = library.add_content(3)
    library.add_image(third, "c/third.jpg")
    second = library.add_group(2, (third, Kind.NEAR, 3, Turn.NONE), images=3)
    put(client, second, {"image": 4, "choice": "trash"})
    put(client, second, {"image": 2, "choice": "trash"})
    answer = put(client, group, {"image": 3, "choice": "trash"})
    assert (answer.status, answer.error["code"]) == (409, "no_keeper")
    assert second in answer.error["message"]


def test_a_decision_is_stale_once_the_bytes_are_others(client: WebClient, library: Library, group: str) -> None:
    put(client, group, {"image": 2, "choice": "trash"})
    library.write(lambda db: db.execute_sql("UPDATE decision SET digest = x'00' WHERE image_id = 2"))
    library.write(lambda db: decisions.recount(db, [1]))
    items = client.get(f"/api/v1/groups/{group}").json
    assert [one["decision"]["stale"] for one in items["images"]["items"] if one["decision"]] == [True]
    assert items["decided"] == "none"
    assert client.get("/api/v1/review").json["images_to_act"] == 0


# Rules


def test_a_preview_that_no_one_waits_for_any_more_is_stopped(
    client: WebClient, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rule_application.preview
    monkeypatch.setattr(rule_application, "preview", lambda *given: made(*given[:3], lambda: not given[3]()))
    assert client.send("POST", "/api/v1/rules/preview", {"choice": "trash"}).json["groups"] == 0


def test_a_rule_is_previewed_applied_and_revoked(client: WebClient, group: str) -> None:
    rule = {"choice": "trash", "kinds": ["near"], "criteria": ["resolution"]}
    effect = client.send("POST", "/api/v1/rules/preview", rule).json
    (sample,) = effect.pop("sample")
    assert effect == {
        "groups": 1, "images": 2, "bytes": 1000, "undecided_ties": 0, "by_criterion": {"resolution": 1}, "order": None,
        "selected": 1, "looked_at": 1,
    }  # fmt: skip
    assert (sample["group"], sample["keeper"]["id"], sample["decided_by"], sample["value"]) == (
        group, 1, "resolution", "4000x3000",
    )  # fmt: skip
    assert [victim["id"] for victim in sample["victims"]] == [2, 3]
    assert decided(client, group) == {1: None, 2: None, 3: None}, "a preview decides nothing"
    order = client.send("POST", "/api/v1/rules/apply", rule).json["order"]
    assert decided(client, group) == {1: "keep", 2: "trash", 3: "trash"}
    decision = client.get(f"/api/v1/groups/{group}").json["images"]["items"][1]["decision"]
    assert (decision["origin"], decision["criterion"]) == ("rule", "resolution")
    (kept,) = client.get("/api/v1/orders").json["items"]
    assert (kept["id"], kept["groups"], kept["images"], kept["open"]) == (order, 1, 2, 2)
    assert client.send("DELETE", f"/api/v1/orders/{order}").json == {"decisions": 3}
    assert decided(client, group) == {1: None, 2: None, 3: None}
    assert client.send("DELETE", f"/api/v1/orders/{order}").status == 404


def test_a_rule_leaves_alone_what_a_person_has_decided(client: WebClient, group: str) -> None:
    put(client, group, {"image": 2, "choice": "keep"})
    assert client.send("POST", "/api/v1/rules/apply", {"choice": "trash"}).json["groups"] == 0
    assert decided(client, group) == {1: None, 2: "keep", 3: None}


def test_a_rule_decides_what_is_proven_equal_until_a_person_widens_it(client: WebClient, group: str) -> None:
    def groups(**rule: Any) -> int:
        return int(client.send("POST", "/api/v1/rules/preview", {"choice": "trash", **rule}).json["groups"])

    assert groups() == 0
    assert groups(kinds=["near"], ties="decide") == 1


def test_where_nothing_shows_the_original_a_rule_leaves_the_group_open(client: WebClient, group: str) -> None:
    effect = client.send("POST", "/api/v1/rules/apply", {"choice": "trash", "kinds": ["near"]}).json
    assert (effect["groups"], effect["undecided_ties"]) == (0, 1)
    assert decided(client, group) == {1: None, 2: None, 3: None}


def test_exact_copies_alone(client: WebClient, group: str) -> None:
    effect = client.send("POST", "/api/v1/rules/apply", {"choice": "link", "kinds": ["exact"]}).json
    assert effect["undecided_ties"] == 0, "of equal bytes any may stay"
    assert (effect["groups"], effect["images"], effect["by_criterion"]) == (1, 1, {"path": 1})
    assert decided(client, group) == {1: None, 2: "keep", 3: "link"}


def test_the_same_choice_for_two_folders(client: WebClient, library: Library, group: str) -> None:
    folders = {"keep": str(library.folder / "a"), "give_way": str(library.folder / "b")}
    effect = client.send("POST", "/api/v1/rules/apply", {"choice": "trash", "kinds": ["near"], "folders": folders}).json
    assert (effect["images"], effect["by_criterion"]) == (1, {"folders": 1})
    assert decided(client, group) == {1: "keep", 2: "keep", 3: "trash"}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"choice": "keep"}, "choice"),
        ({"choice": "trash", "criteria": ["beauty"]}, "criteria"),
        ({"choice": "trash", "criteria": ["path", "path"]}, "criteria"),
        ({"choice": "trash", "kinds": []}, "kinds"),
        ({"choice": "move"}, "destination"),
        ({"choice": "trash", "folders": {"keep": "a", "give_way": "/b"}}, "folders"),
        ({"choice": "trash", "folders": {"keep": "/a", "give_way": "/a/"}}, "folders"),
        ({"choice": "trash", "colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(client: WebClient, rule: dict[str, Any], field: str) -> None:
    for path in ("preview", "apply"):
        answer = client.send("POST", f"/api/v1/rules/{path}", rule)
        assert (answer.status, answer.error["field"]) == (400, field)
    assert client.get("/api/v1/orders").json["total"] == 0


# Batches and the trash


def add_batch(library: Library, count: int = 3, state: BatchState = BatchState.DONE) -> int:
    identity = Identity(1, 2, 300, 4)
    step = Step(Action.TRASH, b"/photos/\xff.jpg", identity, b"d", trash=b"/t", group_key="g", bytes=300)
    refused = replace(step, state=StepState.REFUSED, reason="changed", message=text("It changed."), bytes=0)

    def add(db: Any) -> int:
        batch_id = batches.add_batch(db, BatchKind.SORT, "name", NOW_NS, 1, state=state)
        done = StepState.PLANNED if state is BatchState.PLAN else StepState.DONE
        batches.add_steps(db, batch_id, [*([replace(step, state=done)] * count), refused])
        return batch_id

    return int(library.write(add))


def test_a_batch_is_shown_with_its_steps(client: WebClient, library: Library) -> None:
    batch_id = add_batch(library)
    (batch,) = client.get("/api/v1/batches").json["items"]
    assert (batch["id"], batch["kind"], batch["state"], batch["dry_run"]) == (batch_id, "sort", "done", False)
    assert (batch["counts"], batch["states"], batch["bytes"], batch["undoable"]) == (
        {"trash": 3}, {"done": 3, "refused": 1}, 900, 3,
    )  # fmt: skip
    page = client.get(f"/api/v1/batches/{batch_id}?limit=2").json["steps"]
    assert (page["total"], len(page["items"])) == (4, 2)
    rest = client.get(f"/api/v1/batches/{batch_id}?limit=2&cursor={page['next']}").json["steps"]
    assert (rest["next"], [step["state"] for step in rest["items"]]) == (None, ["done", "refused"])
    (refused,) = client.get(f"/api/v1/batches/{batch_id}?state=refused").json["steps"]["items"]
    assert (refused["reason"], refused["message"], refused["uri"]) == (
        "changed",
        "It changed.",
        "file:///photos/%FF.jpg",
    )
    assert client.get("/api/v1/batches/99").status == 404
    assert client.get(f"/api/v1/batches/{batch_id}?state=happy").status == 400


def test_the_history_shows_pictures_and_is_filtered_by_name(client: WebClient, library: Library) -> None:
    library.add_root(Path("/p"))
    goes, stays = library.add_content(1), library.add_content(2)
    library.add_image(stays, b"kept.jpg")
    digests = [
        library.write(
            lambda db, one=one: schema.Content.select(schema.Content.digest).where(schema.Content.id == one).scalar(db)
        )
        for one in (goes, stays)
    ]
    for name in ("spring", "autumn"):
        path = f"/p/{name}.jpg".encode()
        kept = bytes(library.folder) + b"/kept.jpg"
        step = Step(Action.TRASH, path, Identity(1, 2, 300, 4), digests[0], trash=b"/t", keeper=kept)
        library.write(
            lambda db, step=step: batches.add_steps(db, batches.add_batch(db, BatchKind.SORT, "n", NOW_NS), [step] * 5)
        )
    # One that found nothing to do is no event.
    library.write(lambda db: batches.add_batch(db, BatchKind.COMPRESS, "n", NOW_NS))
    addresses = [f"/api/v1/thumbnails/{bytes(digest).hex()}" for digest in digests]
    page = client.get("/api/v1/batches").json
    assert [(batch["id"], batch["samples"]) for batch in page["items"]] == [
        (number, [{"thumbnail": addresses[0], "keeper_thumbnail": addresses[1]}] * 3) for number in (2, 1)
    ]
    for path, found in (("SPRING", [1]), ("/p", [2, 1]), ("winter", [])):
        page = client.get(f"/api/v1/batches?path={path}").json
        assert ([batch["id"] for batch in page["items"]], page["total"]) == (found, len(found))
    item = Item(b"/p/.comparimg-trash/b/1", b"/p/spring.jpg", 2, 300, 4, bytes(digests[0]), NOW_NS, 1, 1)
    library.write(lambda db: trash_items.add(db, [item]))
    (trashed,) = client.get("/api/v1/trash").json["items"]
    assert (trashed["thumbnail"], trashed["keeper_thumbnail"]) == tuple(addresses)
    assert trashed["keeper"] == f"{library.folder}/kept.jpg"


def test_undo_is_a_job(client: WebClient, library: Library) -> None:
    batch_id = add_batch(library)
    answer = client.send("POST", f"/api/v1/batches/{batch_id}/undo", {"steps": [2, 1]})
    assert (answer.status, answer.headers["Location"]) == (202, f"/api/v1/jobs/{answer.json['id']}")
    assert (answer.json["kind"], answer.json["parameters"]) == ("undo", {"batch": batch_id, "steps": [1, 2]})
    assert client.send("POST", f"/api/v1/batches/{batch_id}/undo", {}).json["parameters"] == {"batch": batch_id}
    assert client.send("POST", "/api/v1/batches/99/undo", {}).status == 404
    plan = add_batch(library, state=BatchState.PLAN)
    answer = client.send("POST", f"/api/v1/batches/{plan}/undo", {})
    assert (answer.status, answer.error["code"]) == (409, "not_carried_out")


def test_the_trash_is_listed_restored_from_and_emptied(client: WebClient, library: Library) -> None:
    library.add_root(Path("/p"))
    items = [Item(b"/p/.comparimg-trash/b/%d" % n, b"/p/%d.jpg" % n, n, 100, 1, b"d", NOW_NS + n) for n in range(3)]
    library.write(lambda db: trash_items.add(db, items))
    page = client.get("/api/v1/trash?limit=2").json
    assert (page["total"], page["bytes"], [one["path"] for one in page["items"]]) == (3, 300, ["/p/2.jpg", "/p/1.jpg"])
    rest = client.get(f"/api/v1/trash?limit=2&cursor={page['next']}").json
    assert [one["path"] for one in rest["items"]] == ["/p/0.jpg"]
    answer = client.send("POST", f"/api/v1/trash/{rest['items'][0]['id']}/restore")
    assert (answer.status, answer.json["parameters"]) == (202, {"items": [rest["items"][0]["id"]]})
    assert client.send("POST", "/api/v1/trash/99/restore").status == 404
    assert client.send("POST", "/api/v1/trash/empty", {}).status == 400
    assert client.send("POST", "/api/v1/trash/empty", {"confirm": False}).status == 400
    answer = client.send("POST", "/api/v1/trash/empty", {"confirm": True})
    assert (answer.status, answer.json["parameters"]) == (202, {"older_than_days": 30.0})
    answer = client.send("POST", "/api/v1/trash/empty", {"confirm": True, "older_than_days": 0})
    assert answer.json["parameters"] == {"older_than_days": 0.0}


def test_a_place_that_the_index_does_not_know_must_be_confirmed(client: WebClient, library: Library) -> None:
    library.add_root(Path("/p"))
    home = b"/p/.comparimg-trash/b/"
    items = [
        Item(home + b"1-in.jpg", b"/p/in.jpg", 1, 1, 1, b"", NOW_NS, adopted=True),
        Item(home + b"2-out.jpg", b"/etc/out.jpg", 2, 1, 1, b"", NOW_NS + 1, adopted=True, elsewhere=b"/p/a/out.jpg"),
        Item(home + b"3-old.jpg", b"/etc/old.jpg", 3, 1, 1, b"", NOW_NS + 2, adopted=True),
        Item(b"/was/.comparimg-trash/b/4-was.jpg", b"/was/was.jpg", 4, 1, 1, b"", NOW_NS + 3, 1, 1),
    ]
    library.write(lambda db: trash_items.add(db, items))
    listed = client.get("/api/v1/trash").json["items"]
    assert [(one["restore_to"], one["needs_confirmation"], one["adopted"]) for one in reversed(listed)] == [
        ("/p/in.jpg", False, True),
        ("/p/a/out.jpg", True, True),
        ("/p/old.jpg", True, True),
        ("/was/was.jpg", True, False),
    ]
    for one in listed:
        address = f"/api/v1/trash/{one['id']}/restore"
        assert client.get(f"/api/v1/trash?item={one['id']}").json["items"] == [one]
        for body, confirmed in ((None, False), ({}, False), ({"confirm": False}, False), ({"confirm": True}, True)):
            answer = client.send("POST", address, body)
            confirms = {"confirm": True} if confirmed and one["needs_confirmation"] else {}
            assert (answer.status, answer.json["parameters"]) == (202, {"items": [one["id"]], **confirms})
        assert client.send("POST", address, {"confirm": "yes"}).status == 400
    assert client.get("/api/v1/trash?item=99").json["items"] == []


def test_empty_and_undo_are_no_kinds_for_a_new_job_or_schedule(client: WebClient) -> None:
    for kind in ("empty", "undo"):
        assert client.send("POST", "/api/v1/jobs", {"kind": kind}).status == 400
        schedule = {"name": "n", "kind": kind, "trigger": "every 1d"}
        assert client.send("POST", "/api/v1/schedules", schedule).status == 400
