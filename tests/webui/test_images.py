"""Original bytes and views: only of exactly what is indexed, made once, never the wrong picture."""

import os
import threading
from pathlib import Path

import pytest

from index.errors import PictureError
from index.messages import text
from support.weblibrary import Daemon, Library, WebClient, draw_picture, jpeg_bytes
from webui import thumbnails
from webui.crops import Crops
from webui.http_errors import HttpError
from webui.thumbnails import FAILURE_TTL_NS, Thumbnails

CONTENT = "/api/v1/images/1/content"
# As much of one as is read.
VIEW = b"view\xff\xd9"
THUMBNAIL = "/api/v1/images/1/thumbnail"


@pytest.fixture
def photo(library: Library) -> Path:
    library.add_file("a.jpg", jpeg_bytes(draw_picture(1)))
    return library.folder / "a.jpg"


# Original bytes


def test_the_original_is_served_whole_with_its_type(client: WebClient, photo: Path) -> None:
    answer = client.get(CONTENT)
    assert answer.body == photo.read_bytes()
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Content-Disposition"] == "inline; filename=\"a.jpg\"; filename*=UTF-8''a.jpg"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    again = client.get(CONTENT, If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert client.ask("HEAD", CONTENT).body == b""


@pytest.mark.attack("files exchanged after they were indexed")
def test_a_file_that_changed_is_not_served(client: WebClient, photo: Path) -> None:
    photo.write_bytes(b"something else")
    answer = client.get(CONTENT)
    assert (answer.status, answer.error["code"]) == (409, "changed")


@pytest.mark.attack("files exchanged after they were indexed")
def test_a_file_replaced_by_one_of_the_same_size_and_time_is_not_served(client: WebClient, photo: Path) -> None:
    status = photo.stat()
    other = photo.with_name("other")
    other.write_bytes(b"x" * status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(photo)
    assert client.get(CONTENT).error["code"] == "changed"


@pytest.mark.attack("symbolic links placed after indexing")
def test_a_link_in_the_place_of_a_file_is_not_followed(client: WebClient, photo: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    photo.rename(secret)
    photo.symlink_to(secret)
    answer = client.get(CONTENT)
    assert answer.status == 404


@pytest.mark.attack("symbolic links placed after indexing")
def test_a_link_in_the_place_of_a_folder_is_not_followed(
    client: WebClient, photo: Path, tmp_path: Path, library: Library
) -> None:
    library.write(lambda db: db.execute_sql("UPDATE root SET path = ?", (bytes(photo.parent.parent),)))
    assert client.get(CONTENT).status == 200
    photo.parent.rename(tmp_path / "elsewhere")
    photo.parent.symlink_to(tmp_path / "elsewhere")
    assert photo.exists()
    assert client.get(CONTENT).status == 404


@pytest.mark.attack("pipes placed to hold a thread")
def test_a_pipe_in_the_place_of_a_file_holds_no_thread(client: WebClient, photo: Path) -> None:
    photo.unlink()
    os.mkfifo(photo)
    assert client.get(CONTENT).error["code"] == "changed"


def test_a_folder_moved_away_is_reported_as_gone_or_offline(client: WebClient, photo: Path, library: Library) -> None:
    photo.unlink()
    assert client.get(CONTENT).error["code"] == "gone"
    library.write(lambda db: db.execute_sql("UPDATE root SET state = 'offline'"))
    answer = client.get(CONTENT)
    assert (answer.status, answer.error["code"]) == (409, "offline")


def test_a_file_no_picture_was_found_in_is_only_offered_for_download(client: WebClient, library: Library) -> None:
    library.add_file("page.html", jpeg_bytes(draw_picture(1)), failure="not_a_picture", format="")
    answer = client.get(CONTENT)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.attack("header injection by file names")
@pytest.mark.parametrize("name", [b'a"b\\c.jpg', b"a\r\nSet-Cookie: x=1.jpg", b"\xff\xfe.jpg", "é😀%.jpg".encode()])
def test_no_name_breaks_out_of_the_header(client: WebClient, library: Library, name: bytes) -> None:
    library.add_file(name, jpeg_bytes(draw_picture(1)))
    header = client.get(CONTENT).headers["Content-Disposition"]
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_no_descriptor_is_left_open(client: WebClient, photo: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        client.get(CONTENT)
        client.ask("HEAD", CONTENT)
    assert len(os.listdir("/proc/self/fd")) <= before


# Views


def test_a_view_is_made_once_and_kept_by_digest(
    client: WebClient, photo: Path, library: Library, daemon: Daemon
) -> None:
    first = client.get(THUMBNAIL)
    assert (first.status, first.headers["Content-Type"], first.body) == (200, "image/jpeg", daemon.view)
    assert client.get(THUMBNAIL).body == daemon.view
    assert daemon.views_made == [1]
    (kept,) = (library.store.data_dir / "views").rglob("*.jpg")
    assert kept.parent.name == kept.name[:2]
    assert client.get(THUMBNAIL, If_None_Match=first.headers["ETag"]).status == 304


def test_a_view_is_kept_for_ever_only_under_the_address_of_its_digest(client: WebClient, photo: Path) -> None:
    address = client.get("/api/v1/images/1").json["thumbnail"]
    assert "immutable" in client.get(address).headers["Cache-Control"]
    assert "immutable" not in client.get(THUMBNAIL).headers["Cache-Control"]
    assert "immutable" not in client.get(f"{THUMBNAIL}?v=0123456789abcdef").headers["Cache-Control"]


def test_a_view_that_cannot_be_made_costs_once_in_ten_minutes(client: WebClient, photo: Path, daemon: Daemon) -> None:
    daemon.broken = frozenset([1])
    for _ in range(3):
        answer = client.get(THUMBNAIL)
        assert (answer.status, answer.error["code"]) == (404, "no_view")
    assert daemon.views_made == [1]
    daemon.elapsed_ns += FAILURE_TTL_NS + 1
    daemon.broken = frozenset()
    assert client.get(THUMBNAIL).status == 200


def test_a_view_that_a_power_loss_emptied_is_made_again(client: WebClient, photo: Path, library: Library) -> None:
    first = client.get(THUMBNAIL).body
    (kept,) = (library.store.data_dir / "views").rglob("*.jpg")
    kept.write_bytes(b"")
    assert client.get(THUMBNAIL).body == first == kept.read_bytes()


def test_a_full_disk_costs_the_keeping_and_not_the_view(client: WebClient, photo: Path, library: Library) -> None:
    (library.store.data_dir / "views").write_text("in the way")
    assert client.get(THUMBNAIL).status == 200


def test_a_request_for_a_view_that_is_being_made_waits_for_it(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def make(content_id: int) -> bytes:
        made.append(content_id)
        begun.set()
        assert go_on.wait(10)
        return VIEW

    views = Thumbnails(tmp_path, make, lambda: 0)
    views_served: list[bytes] = []
    threads = [threading.Thread(target=lambda: views_served.append(views.get(1, b"\x01" * 32))) for _ in range(3)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert (views_served, made) == ([VIEW] * 3, [1])


def test_a_view_that_takes_too_long_is_busy_and_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "WAIT_S", 0.01)
    begun, go_on = threading.Event(), threading.Event()

    def make(_: int) -> bytes:
        begun.set()
        assert go_on.wait(10)
        return VIEW

    views = Thumbnails(tmp_path, make, lambda: 0)
    thread = threading.Thread(target=lambda: views.get(1, b"\x01" * 32))
    thread.start()
    assert begun.wait(10)
    with pytest.raises(HttpError) as raised:
        views.get(1, b"\x01" * 32)
    assert raised.value.status == 503
    go_on.set()
    thread.join()
    assert views.get(1, b"\x01" * 32) == VIEW


def test_an_error_that_is_no_picture_error_is_not_remembered(tmp_path: Path) -> None:
    answers = iter([RuntimeError("worker pool closed"), None])

    def make(_: int) -> bytes:
        error = next(answers)
        if error:
            raise error
        return VIEW

    views = Thumbnails(tmp_path, make, lambda: 0)
    with pytest.raises(RuntimeError):
        views.get(1, b"\x01" * 32)
    assert views.get(1, b"\x01" * 32) == VIEW


def test_failures_are_forgotten_beyond_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MAX_FAILURES", 2)

    def make(_: int) -> bytes:
        raise PictureError("truncated", text("It ends too early."))

    views = Thumbnails(tmp_path, make, lambda: 0)
    for number in range(4):
        with pytest.raises(HttpError):
            views.get(1, bytes([number]) * 32)
    assert len(views._failures) == 2


# Parts


CROP = "/api/v1/images/1/crop"


def test_a_part_is_made_once_and_kept(client: WebClient, photo: Path, daemon: Daemon) -> None:
    first = client.get(f"{CROP}?x=10&y=20&w=100&h=80&size=64")
    assert (first.status, first.headers["Content-Type"], first.headers["Cache-Control"]) == (
        200, "image/jpeg", "private, no-cache",
    )  # fmt: skip
    assert client.get(f"{CROP}?x=10&y=20&w=100&h=80&size=64").body == first.body
    assert daemon.crops_made == [(1, (10, 20, 100, 80), 64)]
    again = client.get(f"{CROP}?x=10&y=20&w=100&h=80&size=64", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")


def test_the_listed_address_of_parts_lets_them_be_cached(client: WebClient, photo: Path) -> None:
    address = client.get("/api/v1/images/1").json["crop"]
    assert "immutable" in client.get(f"{address}&w=10&h=10").headers["Cache-Control"]


@pytest.mark.parametrize("query", ["", "w=10", "w=0&h=1", "w=1&h=1&x=-1", "w=1&h=1&size=5000", "w=1&h=1&z=2"])
def test_a_wrong_request_for_a_part_is_refused(client: WebClient, photo: Path, query: str) -> None:
    assert client.get(f"{CROP}?{query}").status == 400


def test_no_part_is_made_of_what_is_no_picture(client: WebClient, photo: Path, daemon: Daemon) -> None:
    daemon.broken = frozenset({1})
    answer = client.get(f"{CROP}?w=10&h=10")
    assert (answer.status, answer.error["code"]) == (404, "no_view")
    assert client.get("/api/v1/images/99/crop?w=10&h=10").status == 404


def test_only_the_last_parts_are_kept() -> None:
    made: list[int] = []

    def make(content_id: int, box: tuple[int, int, int, int], side: int) -> bytes:
        made.append(box[0])
        return bytes(40)

    crops = Crops(make, kept_bytes=100)
    for left in (1, 2, 1, 3, 1, 2):
        crops.get(1, b"digest", (left, 0, 1, 1), 64)
    assert made == [1, 2, 3, 2]
