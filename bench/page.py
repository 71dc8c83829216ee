"""How long the server takes to answer the page: lists, groups, decisions, charts, over a large generated
index.

python -m bench.page [--groups N --images N]

Milliseconds by the clock and of the processor, the median of several; each is one whole request through the app,
without a socket. The page should begin within 200 ms and follow every action within 100. Over the smaller of the two
indexes, rules are applied and a plan is made as well, once each; the plan over real files of one byte, 125 to a folder.
"""

import argparse
import hashlib
import io
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.journal import Journal
from daemon.jobs.sort import Sorter, SortSettings
from daemon.jobs.sort_plan import Companions, Planner, PlanOptions
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database import path_parts
from index.database.queries import rule_application
from index.database.queries.group_filter import GroupFilter
from index.database.records.batches import BatchKind, BatchState
from index.database.records.matches import dump_parameters
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from index.imaging.grouping.groups import KEY_LENGTH
from index.imaging.grouping.rules import Rule
from index.model import Choice, DetectParameters, Identity, Kind
from webui.app import WebApp, make_app
from webui.services import Services, WebAccess

NOW_NS = 1_700_000_000 * 10**9
TIMES = 15


class NoSettings:
    """Nothing to set."""

    def all_settings(self) -> list[Any]:
        return []

    def change(self, _: Any) -> None:
        pass


class NoFolders(NoSettings):
    """None watched."""

    def roots(self) -> dict[bytes, Any]:
        return {}

    def destinations(self) -> list[Any]:
        return []


# Groups and images; of the smaller one, whether rules and plans are measured too.
SIZES = ((20_000, 200_000, True), (200_000, 600_000, False))


def main() -> None:
    parser = argparse.ArgumentParser(description="What the page asks of the server, in milliseconds.")
    parser.add_argument("--groups", type=int)
    parser.add_argument("--images", type=int, default=200_000)
    options = parser.parse_args()
    sizes = SIZES if options.groups is None else ((options.groups, options.images, True),)
    for groups, images, with_rules in sizes:
        with tempfile.TemporaryDirectory(prefix="comparimg-page-") as folder:
            measure(Path(folder), groups, images, with_rules)


def measure(folder: Path, groups: int, images: int, with_rules: bool) -> None:
    with Store(folder / "data"):
        pass
    fill(folder / "data" / "index.sqlite3", groups, images)
    with Store(folder / "data") as store:
        store.write(lambda db: path_parts.index_changes(db, 1))
        app = make_app(store, services())
        print(f"{groups:,} groups, {images:,} images\n")
        print("| request | ms, median | worst | of the processor |")
        print("|---|---|---|---|")
        for name, method, path, body in requests(app):
            show(name, partial(ask, app, method, path, body))
        if with_rules:
            for name, method, path, body in rule_requests():
                show(name, partial(ask, app, method, path, body), 1)
            plan(folder, store, groups)
        app.close()
        print()


def plan(folder: Path, store: Store, groups: int) -> None:
    """A rule decides about every group, and all steps are planned over real files."""
    top = folder / "photos"
    make_files(store, top, 2 * groups + 1)
    rule = Rule(Choice.TRASH, kinds=(Kind.EXACT, Kind.PIXELS, Kind.NEAR), decides_ties=True)

    def decide() -> None:
        rule_application.apply(store.write, rule, GroupFilter(), NOW_NS)

    # A request refuses this many groups; a job decides on them.
    show("application of a rule about near matches", decide, 1)
    managed = ManagedFolders.of({bytes(top): False})
    settings = SortSettings({}, Companions.MATCHED, 3.0)
    pool = WorkerPool(1, WorkerLimits(60.0, 2**30))
    sorter = Sorter(store, pool, Limits(2**20), lambda: settings, lambda *_: None)
    planner = Planner(managed, PlanOptions({}))

    def whole() -> None:
        steps = sorter.plan(planner)
        assert len(steps) == groups, len(steps)
        Journal(store, managed).begin(BatchKind.SORT, steps, state=BatchState.PLAN)

    show(f"plan of {groups:,} steps", whole, 1)
    pool.close()


def make_files(store: Store, top: Path, count: int) -> None:
    """Give the images real files of one byte."""
    rows = []
    for number in range(1, count + 1):
        path = top / f"{number // 125:04}" / f"IMG_{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, ns=(10**18, 10**18))
        rows.append((bytes(path), *Identity.of(path.stat()), number))

    def change(database: Any) -> None:
        database.execute_sql("UPDATE root SET path = ?", (bytes(top),))
        database.connection().executemany(
            "UPDATE image SET path = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ? WHERE id = ?", rows
        )

    store.write(change)


def rule_requests() -> Iterator[tuple[str, str, str, Any]]:
    api = "/api/v1/rules"
    yield "preview of a rule", "POST", f"{api}/preview", {"choice": "trash", "ties": "ask"}
    near = {"choice": "trash", "ties": "decide", "kinds": ["exact", "pixels", "near"]}
    yield "preview of a rule about near matches", "POST", f"{api}/preview", near
    yield "application of a rule", "POST", f"{api}/apply", {"choice": "trash", "ties": "ask"}


def services() -> Services:
    return Services(
        version="bench",
        started_ns=NOW_NS,
        settings=NoSettings(),
        make_preview=lambda _: b"",
        make_crop=lambda *_: b"",
        health=dict,
        now_ns=time.time_ns,
        next_run_ns=lambda _: None,
        schedules_changed=lambda: None,
        folders=NoFolders(),  # type: ignore[arg-type]
        destinations=dict,
        web=WebAccess(),
    )


def requests(app: WebApp) -> Iterator[tuple[str, str, str, Any]]:
    api = "/api/v1"
    first = ask(app, "GET", f"{api}/groups?limit=24")
    middle = ask(app, "GET", f"{api}/groups?limit=24&sort=confidence")
    group = first["items"][5]
    images = [one["id"] for one in group["images"]["items"]]
    yield "first page of the list", "GET", f"{api}/groups?limit=24", None
    yield "second page", "GET", f"{api}/groups?limit=24&cursor={first['next']}", None
    yield "page sorted by confidence", "GET", f"{api}/groups?limit=24&sort=confidence&cursor={middle['next']}", None
    yield "near only", "GET", f"{api}/groups?limit=24&kind=near", None
    yield "still open only", "GET", f"{api}/groups?limit=24&decided=none,partly", None
    yield "in a folder", "GET", f"{api}/groups?limit=24&path=/photos/0007", None
    yield "part of a name", "GET", f"{api}/groups?limit=24&path=img_00012", None
    yield "status", "GET", f"{api}/status", None
    yield "one group, with its neighbours", "GET", f"{api}/groups/{group['id']}", None
    yield "one group among the open ones", "GET", f"{api}/groups/{group['id']}?decided=none,partly", None
    choices = [{"image": image, "choice": "trash" if place else "keep"} for place, image in enumerate(images)]
    yield "decide on a group", "PUT", f"{api}/groups/{group['id']}/decisions", {"decisions": choices}
    yield "how far the review is", "GET", f"{api}/review", None
    yield "charts, made once and kept", "GET", f"{api}/statistics", None


def ask(app: WebApp, method: str, path: str, body: Any = None) -> Any:
    parts = urlsplit(path)
    raw = b"" if body is None else json.dumps(body).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": parts.path, "QUERY_STRING": parts.query, "HTTP_HOST": "localhost:5000",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw),
    }  # fmt: skip
    setup_testing_defaults(environ)
    statuses: list[str] = []
    answer = b"".join(app(environ, lambda status, headers, exc_info=None: statuses.append(status)))
    if not statuses[0].startswith("2"):
        raise SystemExit(f"{method} {path}: {statuses[0]} {answer[:300]!r}")
    return json.loads(answer)


def show(name: str, request: Callable[[], Any], times: int = TIMES) -> None:
    clock, busy = [], []
    for _ in range(times):
        clock_start, busy_start = time.perf_counter(), time.process_time()
        request()
        clock.append((time.perf_counter() - clock_start) * 1000)
        busy.append((time.process_time() - busy_start) * 1000)
    print(f"| {name} | {statistics.median(clock):.1f} | {max(clock):.1f} | {statistics.median(busy):.1f} |")


def fill(path: Path, groups: int, images: int) -> None:
    """Rows as a detection would leave them: mostly pairs, some of exact copies, among images without a copy."""
    database = sqlite3.connect(path)
    with database:
        database.execute(
            "INSERT INTO root (id, path, protected, priority, watched, state, reason, walked_ns)"
            " VALUES (1, ?, 0, 0, 1, 'online', '', ?)",
            (b"/photos", NOW_NS),
        )
        insert(database, "content", contents(images))
        insert(database, "image", files(images))
        database.execute(
            "INSERT INTO detection (id, parameters, created_ns, finished_ns, watermark, current, calibration)"
            " VALUES (1, ?, ?, ?, ?, 1, '{}')",
            (dump_parameters(DetectParameters()), NOW_NS, NOW_NS, images),
        )
        insert(database, "duplicate_group", group_rows(groups))
        insert(database, "member", members(groups))
        insert(database, "match", matches(groups))
    database.close()


def insert(database: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    rows = iter(rows)
    first = next(rows)
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({', '.join(':' + name for name in first)})"
    database.execute(statement, first)
    database.executemany(statement, rows)


def digest(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def contents(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {
            "id": number, "digest": digest(number), "size_bytes": 2_000_000 + number * 37 % 5_000_000,
            "format": ("JPEG", "JPEG", "JPEG", "PNG", "HEIF")[number % 5], "width": 4000, "height": 3000, "mode": "RGB",
            "orientation": 1, "taken": f"{2000 + number % 25}-{1 + number % 12:02}-11T10:00:00", "camera": "X-T4",
            "jpeg_quality": 75 + number % 20, "detail": 90, "frames": 1, "metadata": "exif", "scheme": "bench",
            "failure": "", "failure_message": "",
        }  # fmt: skip


def files(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {
            "root_id": 1, "path": f"/photos/{number * 7919 % 997:04}/{number % 31:02}/IMG_{number:07}.jpg".encode(),
            "device": 1, "inode": number, "size_bytes": 2_000_000 + number * 37 % 5_000_000,
            "mtime_ns": NOW_NS - number * 10**12, "content_id": number, "indexed_ns": NOW_NS,
        }  # fmt: skip


def kind_of(number: int) -> str:
    return ("near", "near", "pixels")[number % 3]


def evidence(number: int) -> str:
    return "{}" if kind_of(number) == "pixels" else json.dumps({"scale": 0.5, "similarity": 0.9 + number % 97 / 1000})


def group_rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {
            "id": number, "detection_id": 1, "key": digest(2 * number).hex()[:KEY_LENGTH],
            "kind": kind_of(number), "reference_id": 2 * number, "images": 2,
            "size_bytes": 4_000_000 + number * 101 % 9_000_000,
            "reclaimable_bytes": 1_000_000 + number * 73 % 6_000_000,
            "confidence": 0.9 + number % 100 / 1000, "newest_ns": NOW_NS - number, "changed_ns": NOW_NS,
        }  # fmt: skip


def members(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        for position in (0, 1):
            yield {
                "group_id": number, "content_id": 2 * number + position, "position": position,
                "kind": kind_of(number) if position else "exact", "distance": 4 * position, "turn": "none",
            }  # fmt: skip


def matches(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {
            "detection_id": 1, "a_id": 2 * number, "b_id": 2 * number + 1, "kind": kind_of(number), "distance": 4,
            "turn": "none", "confidence": 0.97, "evidence": evidence(number),
        }  # fmt: skip


if __name__ == "__main__":
    main()
