"""Which events are reported, when, and to whom: a digest that is quiet, and a messenger that blocks nothing."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from daemon.client import Client
from daemon.configuration.config import Config, load
from daemon.notifying import notices, transports
from daemon.notifying.notifier import RETRY_S, Notifier
from daemon.notifying.transports import NotDelivered, call_webhook, run_program
from daemon.service import Service
from index.database.records import jobs, notifications, rule_runs
from index.database.store import Store
from index.errors import UsageError
from index.messages import render, text
from index.model import EndedJob, EventSummary, JobKind, JobState, NoticeWatermark, RootStatus
from support.weblibrary import Library

NOW_NS = 1_800_000_000 * 10**9
MINUTE_NS = 60 * 10**9
ALL = notices.EVENTS
DONE = EndedJob(1, "detect", "done", "schedule", 3.0, {"groups": 4}, None)
FAILED = EndedJob(2, "sort", "failed", "user", 1.0, {}, text("The disk is full."))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An index of rows, with one watched folder."""
    with Store(tmp_path / "data") as store:
        (tmp_path / "photos").mkdir()
        made = Library(store, tmp_path / "photos")
        made.add_root()
        yield made


# What is reported


def test_nothing_happened_is_no_notice() -> None:
    here = EventSummary(groups_total=9, roots=(RootStatus("/a", "online", None),))
    assert notices.notice_of(NoticeWatermark(0, roots={"/a": "online"}), here, ALL) is None
    assert notices.notice_of(NoticeWatermark(0), EventSummary(groups=3, groups_total=9), ["jobs"]) is None


def test_everything_is_reported_in_one_notice_as_data_and_in_words() -> None:
    roots = (RootStatus("/a", "offline", text("gone")),)
    happened = EventSummary(3, 12, 5000, (FAILED, DONE), 2, {"truncated": 2, "crashed": 1}, roots)
    notice = notices.notice_of(NoticeWatermark(0), happened, ALL)
    assert notice is not None and notice.urgent
    assert [event["event"] for event in notice.events] == ["root", "job", "job", "groups", "problems"]
    assert render(notice.summary, "en") == (
        "/a is offline (gone); a sort job failed: The disk is full.; 3 jobs done;"
        " 3 new or changed groups of duplicates, 12 in all; 3 files could not be read"
    )
    assert "hors ligne" in render(notice.summary, "fr")
    assert json.loads(json.dumps(notices.payload(notice, "nas", "1", "now", "http://x/")))["format"] == notices.FORMAT


def test_a_folder_is_reported_when_it_goes_and_when_it_is_back() -> None:
    online = EventSummary(roots=(RootStatus("/a", "online", None),))
    back = notices.notice_of(NoticeWatermark(0, roots={"/a": "offline"}), online, ALL)
    assert back is not None and not back.urgent
    assert render(back.summary, "en") == "/a is online"


def test_what_happens_together_is_reported_together_and_then_there_is_quiet() -> None:
    hour_s = 3600.0
    assert notices.wait_s(1000, -hour_s, 1000, hour_s, False) == notices.GATHER_S
    assert notices.wait_s(1000, -hour_s, 1000 + notices.GATHER_S, hour_s, False) == 0
    assert notices.wait_s(1000, 900, 1000 + notices.GATHER_S, hour_s, False) == 900 + hour_s - 1000 - notices.GATHER_S
    assert notices.wait_s(1000, 900, 1000, hour_s, True) == 900 + notices.URGENT_EVERY_S - 1000


# What happened, from the index


def test_only_what_is_news_is_read_from_the_index(library: Library) -> None:
    content = library.add_content(1)
    library.add_detection()
    library.add_group(content, changed_ns=NOW_NS + 5)
    library.add_problem("old.jpg", at_ns=NOW_NS - 1)
    library.add_problem("new.jpg", at_ns=NOW_NS + 1)
    for origin, state in (("watch", "done"), ("user", "done"), ("watch", "failed"), ("schedule", "cancelled")):
        job_id = library.write(lambda db, origin=origin: jobs.add(db, JobKind.SCAN, {"paths": [origin]}, origin))
        library.write(
            lambda db, job_id=job_id, state=state: jobs.update(
                db, job_id, state=JobState(state), started_ns=NOW_NS, finished_ns=NOW_NS + 2 * 10**9
            )
        )
    with library.store.read() as database:
        happened = notifications.events_since(database, NOW_NS)
    assert (happened.groups, happened.groups_total) == (1, 1)
    assert happened.problems == {"truncated": 1}
    summaries = [(job.origin, job.state, job.seconds) for job in happened.jobs]
    assert summaries == [("watch", "failed", 2), ("user", "done", 2)]
    assert [root.state for root in happened.roots] == ["online"]


def test_what_a_rule_decided_after_a_search_is_reported_once_the_search_has_ended(library: Library) -> None:
    job_id = library.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "watch"))
    library.write(lambda db: jobs.update(db, job_id, state=JobState.RUNNING, started_ns=NOW_NS))
    for name, groups in (("Phone", 2), (None, 7)):
        run = library.write(lambda db, name=name: rule_runs.start(db, {"name": name}, NOW_NS + MINUTE_NS))
        library.write(lambda db, run=run, groups=groups: rule_runs.finish(db, run, groups))

    def notice_since(since_ns: int) -> notices.Notice | None:
        with library.store.read() as database:
            happened = notifications.events_since(database, since_ns)
        return notices.notice_of(NoticeWatermark(0), happened, ["rules"])

    assert notice_since(NOW_NS + 2 * MINUTE_NS) is None
    ended = {"state": JobState.DONE, "finished_ns": NOW_NS + 3 * MINUTE_NS, "outcome": json.dumps({"decided": 2})}
    library.write(lambda db: jobs.update(db, job_id, **ended))
    notice = notice_since(NOW_NS + 2 * MINUTE_NS)
    assert notice is not None and not notice.urgent
    assert notice.events == ({"event": "rule", "name": "Phone", "groups": 2, "images": 0, "bytes": 0},)
    assert render(notice.summary, "en") == "the rule “Phone” decided 2 groups"
    assert render(notice.summary, "fr") == "la règle «\u00a0Phone\u00a0» a décidé de 2 groupes"
    assert notice_since(NOW_NS + 4 * MINUTE_NS) is None


# The notifier


class Hook(BaseHTTPRequestHandler):
    """A web hook that remembers what it got."""

    got: ClassVar[list[dict[str, Any]]] = []
    status = 200
    headers_seen: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_json = self.headers["Content-Type"] == "application/json"
        Hook.got.append(json.loads(body) if is_json else {"text": body.decode()})
        Hook.headers_seen.append(dict(self.headers))
        self.send_response(Hook.status)
        if Hook.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.got, Hook.status = [], 200
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/s3cret-path"
    server.shutdown()
    server.server_close()
    thread.join()


def config(folder: Path, notify: str) -> Config:
    file = folder / "comparimg.toml"
    file.write_text(f'[daemon]\ndata_dir = "{folder}/data"\n[web]\nport = 0\n[notify]\n{notify}\n')
    return load(file)


class Scene:
    """A notifier whose clock only moves when it is set, over an index in which things happen."""

    def __init__(self, library: Library, folder: Path, notify: str, now_ns: int = NOW_NS) -> None:
        self.library = library
        self.now_ns = now_ns
        self.notifier = Notifier(library.store, config(folder, notify), "http://x/", lambda: self.now_ns)
        self.notifier.check()

    def after(self, minutes: float) -> int:
        """How many notices the web hook has got after so many more minutes, checked twice in them."""
        for _ in range(2):
            self.now_ns += int(minutes * MINUTE_NS / 2)
            self.notifier.check()
        return len(Hook.got)

    def problem(self, name: str) -> None:
        self.library.add_problem(name, at_ns=self.now_ns + 1)


@pytest.fixture
def scene(library: Library, tmp_path: Path, hook: str) -> Scene:
    return Scene(library, tmp_path, f'webhook = "{hook}"\ninterval_min = 60')


def test_a_flood_is_one_notice_an_hour(scene: Scene) -> None:
    assert scene.after(120) == 0, "nothing happened"
    for minute in range(120):
        scene.problem(f"{minute}.jpg")
        scene.after(1)
    assert len(Hook.got) == 2
    assert Hook.got[0]["events"] == [{"event": "problems", "new": 1, "reasons": {"truncated": 1}}]
    assert scene.after(61) == 3
    assert sum(notice["events"][0]["new"] for notice in Hook.got) == 120, "nothing is lost and nothing reported twice"
    assert scene.after(600) == 3


def test_a_folder_that_is_gone_does_not_wait_for_the_hour(scene: Scene) -> None:
    scene.problem("a.jpg")
    assert scene.after(2) == 1
    scene.library.write(lambda db: db.execute_sql("UPDATE root SET state = 'offline', reason = 'was removed'"))
    assert scene.after(6) == 2
    assert Hook.got[1]["summary"]["en"].endswith("is offline (was removed)")
    assert Hook.got[1]["urgent"]


def test_what_did_not_arrive_is_tried_again_and_later_reported_whole(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    Hook.status = 500
    scene.problem("a.jpg")
    assert scene.after(1) == 1
    assert scene.after(RETRY_S / 120) == 1, "not at once"
    scene.problem("b.jpg")
    Hook.status = 200
    assert scene.after(3) == 2
    assert Hook.got[1]["events"][0]["new"] == 2
    assert "answered 500" in caplog.text
    assert "s3cret" not in caplog.text
    assert scene.after(600) == 2


def test_a_restart_neither_repeats_nor_forgets(scene: Scene, tmp_path: Path, hook: str) -> None:
    scene.problem("a.jpg")
    assert scene.after(2) == 1
    scene.problem("b.jpg")
    again = Scene(scene.library, tmp_path, f'webhook = "{hook}"', scene.now_ns)
    assert again.after(2) == 1, "the hour is remembered too"
    assert again.after(60) == 2
    assert Hook.got[1]["events"][0]["new"] == 1


def test_who_is_notified_from_now_on_is_not_notified_of_the_past(library: Library, tmp_path: Path, hook: str) -> None:
    unconfigured = Scene(library, tmp_path, "")
    unconfigured.problem("a.jpg")
    unconfigured.after(60)
    with pytest.raises(UsageError, match="Neither a program"):
        unconfigured.notifier.test()
    unconfigured.notifier.configure(config(tmp_path, f'webhook = "{hook}"'))
    assert unconfigured.after(120) == 0
    unconfigured.problem("b.jpg")
    assert unconfigured.after(2) == 1


def test_a_clock_that_is_set_back_silences_no_one(scene: Scene) -> None:
    scene.now_ns -= 10 * 86_400 * 10**9
    scene.after(1)
    scene.problem("a.jpg")
    assert scene.after(2) == 1


# The messengers


def test_a_program_gets_the_notice_and_its_words_and_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPARIMG_TOKEN", "hunter2")
    script = "import os, sys, json; json.dump([json.load(sys.stdin), dict(os.environ)], open(sys.argv[1], 'w'))"
    notice = notices.payload(notices.TEST, "nas", "1", "now", "http://x/", is_test=True)
    run_program([sys.executable, "-c", script, str(tmp_path / "out")], notice, "fr")
    got, environ = json.loads((tmp_path / "out").read_text())
    assert got == notice
    assert environ["COMPARIMG_SUMMARY"] == notice["summary"]["fr"]
    assert "COMPARIMG_TOKEN" not in environ


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "code 3"),
        (["/nothing/here", "s3cret"], "cannot be run"),
        ([sys.executable, "-c", "import time; time.sleep(600)"], "longer than"),
        (["sh", "-c", "sleep 600 & sleep 600"], "longer than"),
    ],
)
def test_a_program_that_fails_or_hangs_is_reported_and_ended(
    monkeypatch: pytest.MonkeyPatch, command: list[str], words: str
) -> None:
    monkeypatch.setattr(transports, "PROGRAM_LIMIT_S", 0.5)
    notice = notices.payload(notices.TEST, "nas", "1", "now", "http://x/")
    with pytest.raises(NotDelivered, match=words) as failed:
        run_program(command, notice, "en")
    assert "s3cret" not in str(failed.value)


def test_a_program_that_reads_nothing_is_no_failure() -> None:
    events = ({"event": "x", "much": "y" * 500_000},)
    notice = notices.payload(notices.Notice(events, text(""), False), "nas", "1", "now", "")
    run_program(["true"], notice, "en")


def test_a_hook_that_refuses_redirects_or_is_gone_is_reported(hook: str) -> None:
    notice = notices.payload(notices.TEST, "nas", "1", "now", "http://x/")
    call_webhook(hook, notice)
    for status in (404, 302):
        Hook.status = status
        with pytest.raises(NotDelivered, match=str(status)):
            call_webhook(hook, notice)
    assert len(Hook.got) == 3, "a redirect is not followed"
    with pytest.raises(NotDelivered, match="cannot be reached"):
        call_webhook("http://127.0.0.1:1/s3cret", notice)


def test_a_hook_gets_a_sentence_or_a_message_for_apprise(hook: str) -> None:
    noted = notices.Notice(({"event": "x"},), text("3 groups of duplicates"), urgent=True)
    notice = notices.payload(noted, "nas-ä", "1", "now", "http://x/")
    call_webhook(hook, notice, "text", "fr")
    call_webhook(hook, notice, "apprise", "fr")
    call_webhook(hook, notices.payload(notices.TEST, "nas", "1", "now", ""), "text", "en")
    sentence, message, plain = Hook.got
    assert sentence == {"text": "3 groups of duplicates"}
    assert message == {"title": "ComparImg, nas-ä", "body": "3 groups of duplicates\nhttp://x/", "type": "warning",
                       "tag": "all"}  # fmt: skip
    assert plain["text"].strip()
    headers = Hook.headers_seen[-3]
    shown = {name: headers[name] for name in ("Content-Type", "Title", "Click", "Priority")}
    assert shown == {
        "Content-Type": "text/plain; charset=utf-8", "Title": "ComparImg, nas-?", "Click": "http://x/",
        "Priority": "high",
    }  # fmt: skip
    assert not {"Click", "Priority"} & set(Hook.headers_seen[-1])


def test_the_service_sends_notices_and_can_be_tested(
    tmp_path: Path, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Service(config(tmp_path, f'webhook = "{hook}"\ncommand = ["false"]')) as service:
        ask = Client(service.address)
        answer = ask.post("notices/test", {})
        assert answer == {"arrived": ["webhook"], "failed": {"command": "the program ended with code 1"}}
        assert Hook.got[0]["test"] is True
        (setting,) = [row for row in ask.pages("settings") if row["key"] == "notify.webhook"]
        assert setting["value"] == "(set)", "the address is a secret"
