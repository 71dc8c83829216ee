"""What travels are previews and what decides about a pair; a worker looks at what it is sent before it decodes it."""

import io
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from daemon.processes.model_task import SHIPPED, EmbedTask, ModelTask, check_model, embed_preview
from daemon.processes.verify_task import PairTask
from daemon.remote_workers.lendable import WORKS, abilities, check_view
from daemon.remote_workers.scratch import KEPT, Scratch
from daemon.remote_workers.sent_views import REMEMBERED, SentViews, Views
from daemon.remote_workers.wire import View
from index.imaging.decoding.pictures import preview_on_black
from index.imaging.embedding.model_input import ModelOptions
from index.model import Description, Facts, Turn


def jpeg(side: int = 64, level: int = 0) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (side, side), (level, 0, 0)).save(target, "JPEG")
    return target.getvalue()


def view(folder: Path, name: str, level: int = 0) -> str:
    path = folder / f"{name}.jpg"
    path.write_bytes(jpeg(level=level))
    return str(path)


SECRET = Description(caption="my caption", keywords=("a keyword",), place=(48.5, 2.5), title="a title")


def test_a_pair_travels_without_names_places_and_captions(tmp_path: Path) -> None:
    facts = Facts("JPEG", 400, 300, camera="One", taken="2020-01-01T00:00:00", description=SECRET)
    first, second = view(tmp_path, "family-1"), view(tmp_path, "family-2", 90)
    task = PairTask(77, 78, first, second, facts, facts, Turn.ROTATE_90, True, False, b"f" * 40, b"")
    work, views = WORKS["verify"], Views(SentViews())
    written = work.encode(task, views)
    sent = written + b"".join(one.jpeg + one.on_black for one in views.sent)
    for secret in ("family", str(tmp_path), "my caption", "a keyword", "a title"):
        assert secret.encode() not in sent
    assert not views.sent[0].on_black and not views.sent[1].on_black, "nothing is transparent"
    read = work.task(written, ["/there/0.jpg", "/there/1.jpg"])
    assert (read.first_view, read.second_view) == ("/there/0.jpg", "/there/1.jpg")
    assert (read.turn, read.by_part, read.by_model, read.first_features) == (Turn.ROTATE_90, True, False, b"f" * 40)
    assert read.first_facts == Facts("JPEG", 400, 300, camera="One", taken="2020-01-01T00:00:00")


def test_a_view_is_sent_once_and_that_on_black_with_it(tmp_path: Path) -> None:
    path, other = view(tmp_path, "a"), view(tmp_path, "b", 90)
    views = Views(SentViews())
    with pytest.raises(OSError, match="black"):
        views.add(path, with_black=True)
    preview_on_black(Path(path)).write_bytes(jpeg(level=9))
    assert [views.add(path), views.add(other), views.add(path)] == [0, 1, 0]
    assert views.add(path, with_black=True) == 2
    assert views.sent[2] == View(2, jpeg(), jpeg(level=9))


def test_a_view_travels_once_as_long_as_the_worker_keeps_it(tmp_path: Path) -> None:
    has, paths = SentViews(), [view(tmp_path, str(number)) for number in range(REMEMBERED + 1)]
    (tmp_path / "scratch").mkdir()
    scratch = Scratch(tmp_path / "scratch")

    def send(*chosen: str) -> list[bool]:
        batch = Views(has)
        for path in chosen:
            batch.add(path)
        has.note(batch)
        scratch.release(scratch.add(batch.sent))
        return [bool(one.jpeg) for one in batch.sent]

    assert send(paths[0], paths[1]) == [True, True]
    assert send(paths[1], paths[2], paths[0]) == [False, True, False]
    never_sent = Views(has)
    never_sent.add(paths[3])
    assert send(paths[3]) == [True], "it was put together, and not sent"
    for path in paths[1:]:
        send(path)
    assert send(paths[0], paths[-1]) == [True, False], "the oldest is sent again"
    scratch.close()


@pytest.mark.attack("a service sends a worker what is no view")
def test_what_is_no_view_is_not_decoded(tmp_path: Path) -> None:
    check_view(jpeg(1024))
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    for wrong in (b"", b"\xff\xd8\xff\xd9", jpeg(1025), png.getvalue(), jpeg() + bytes(2**19), b"<svg>"):
        with pytest.raises(ValueError, match="view"):
            check_view(wrong)
        scratch = Scratch(tmp_path)
        with pytest.raises(ValueError, match="view"):
            scratch.add([View(0, jpeg()), View(1, wrong)])
        scratch.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.attack("a service sends a worker a task that is none")
def test_what_is_no_task_is_refused() -> None:
    for work in WORKS.values():
        for wrong in (b"", b"\xc1", msgspec.msgpack.encode(5), msgspec.msgpack.encode([0] * 9)):
            with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
                work.task(wrong, ["/there/0.jpg"])
    for number in (-1, 1, 2**40):
        with pytest.raises(ValueError, match="no such view"):
            WORKS["describe"].task(msgspec.msgpack.encode(number), ["/there/0.jpg"])


def test_a_model_is_lent_to_those_that_have_it(tmp_path: Path) -> None:
    model = ModelTask(str(SHIPPED), ModelOptions(), "cpu")
    report = check_model(model)
    known = ModelTask("/home/of/the/service.onnx", ModelOptions(), "cpu", report.digest, report.dimensions)
    task = EmbedTask(known, view(tmp_path, "a", 90), 2)
    work = WORKS["embed"]
    assert work.needs(task) in abilities()
    other = ModelTask("x", ModelOptions(), "cpu", b"\0" * 32, 256)
    assert work.needs(EmbedTask(other, task.view)) not in abilities()
    for private in (model, ModelTask("x", ModelOptions(), "cuda", report.digest, 256)):
        assert work.needs(EmbedTask(private, task.view)) == "", "it stays at home"
    views = Views(SentViews())
    there = work.task(work.encode(task, views), [task.view])
    assert there.model.path == str(SHIPPED), "no path of the service is used"
    vectors = work.decode(task, work.value(embed_preview(there)))
    assert vectors == embed_preview(EmbedTask(model, task.view, 2))


def test_views_are_kept_while_they_are_needed_and_then_a_while(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    kept = scratch.add([View(0, jpeg(level=1)), View(1, jpeg(level=1)), View(2, jpeg(level=2), jpeg(level=3))])
    assert kept[0] == kept[1] != kept[2]
    assert preview_on_black(Path(kept[2])).read_bytes() == jpeg(level=3)
    (folder,) = tmp_path.iterdir()
    for number in range(KEPT + 20):
        scratch.release(scratch.add([View(3 + number, jpeg(16 + number % 200, 40 * (number // 200)))]))
    assert len(list(folder.glob("*.jpg"))) <= KEPT + 2
    assert all(Path(path).exists() for path in kept)
    assert scratch.add([View(0), View(2)]) == [kept[0], kept[2]], "sent before"
    scratch.release([kept[0], kept[2]])
    for gone in (3, 2 * KEPT):
        with pytest.raises(ValueError, match="not here"):
            scratch.add([View(1), View(gone)])
    scratch.release(kept)
    scratch.close()
    assert list(tmp_path.iterdir()) == []
