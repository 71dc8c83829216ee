"""How long the server takes for what the page asks: lists, groups, decisions, charts, over a large made-up index.

    python -m bench.page [--groups N] [--images N]

Milliseconds by the clock and of the processor, the median of some; each is one whole request through the app, without a
socket. The page is to begin within 200 ms and to follow every action within 100.
"""

import argparse
import hashlib
import io
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from index.grouping.groups import KEY_LENGTH
from index.model import DetectParameters
from index.records.findings import dump_parameters
from index.store import Store
from webui.app import WebApp, make_app
from webui.services import Services, WebAccess

NOW_NS = 1_700_000_000 * 10**9
TIMES = 15


class NoSettings:
    """Nothing to set."""

    def views(self) -> list[Any]:
        return []

    def change(self, _: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="What the page asks of the server, in milliseconds.")
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--images", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comparimg-page-") as folder:
        data = Path(folder, "data")
        with Store(data):
            pass
        fill(data / "index.sqlite3", options.groups, options.images)
        with Store(data) as store:
            app = make_app(store, services())
            print(f"{options.groups:,} groups, {options.images:,} images\n")
            print("| request | ms, median | worst | of the processor |")
            print("|---|---|---|---|")
            for name, method, path, body in requests(app):
                show(name, lambda method=method, path=path, body=body: ask(app, method, path, body))
            app.close()


def services() -> Services:
    return Services(
        version="bench",
        started_ns=NOW_NS,
        settings=NoSettings(),
        make_view=lambda _: b"",
        make_crop=lambda *_: b"",
        health=dict,
        now_ns=time.time_ns,
        next_run_ns=lambda _: None,
        schedules_changed=lambda: None,
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
    yield "preview of a rule", "POST", f"{api}/rules/preview", {"choice": "trash", "ties": "ask"}
    yield "charts, made once and kept", "GET", f"{api}/statistics", None


def ask(app: WebApp, method: str, path: str, body: Any = None) -> Any:
    parts = urlsplit(path)
    raw = b"" if body is None else json.dumps(body).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": parts.path, "QUERY_STRING": parts.query, "HTTP_HOST": "localhost:5000",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw),
    }  # fmt: skip
    setup_testing_defaults(environ)
    told: list[str] = []
    answer = b"".join(app(environ, lambda status, headers, exc_info=None: told.append(status)))
    if not told[0].startswith("2"):
        raise SystemExit(f"{method} {path}: {told[0]} {answer[:300]!r}")
    return json.loads(answer)


def show(name: str, request: Callable[[], Any]) -> None:
    clock, busy = [], []
    for _ in range(TIMES):
        clock_start, busy_start = time.perf_counter(), time.process_time()
        request()
        clock.append((time.perf_counter() - clock_start) * 1000)
        busy.append((time.process_time() - busy_start) * 1000)
    print(f"| {name} | {statistics.median(clock):.1f} | {max(clock):.1f} | {statistics.median(busy):.1f} |")


def fill(path: Path, groups: int, images: int) -> None:
    """Rows as a detection would leave them: pairs mostly, some of exact copies, among images that are alone."""
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


def group_rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {
            "id": number, "detection_id": 1, "key": digest(2 * number).hex()[:KEY_LENGTH],
            "kind": ("near", "near", "pixels")[number % 3], "reference_id": 2 * number, "images": 2,
            "size_bytes": 4_000_000 + number * 101 % 9_000_000,
            "reclaimable_bytes": 1_000_000 + number * 73 % 6_000_000,
            "confidence": 0.9 + number % 100 / 1000, "newest_ns": NOW_NS - number, "changed_ns": NOW_NS,
        }  # fmt: skip


def members(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        for position in (0, 1):
            yield {
                "group_id": number, "content_id": 2 * number + position, "position": position,
                "kind": "near" if position else "exact", "distance": 4 * position, "turn": "none",
            }  # fmt: skip


def matches(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {
            "detection_id": 1, "a_id": 2 * number, "b_id": 2 * number + 1, "kind": "near", "distance": 4,
            "turn": "none", "confidence": 0.97, "evidence": '{"scale": 0.5, "similarity": 0.99}',
        }  # fmt: skip


if __name__ == "__main__":
    main()
