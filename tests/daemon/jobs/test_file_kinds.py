"""What a file holds in addition to one sound picture of 8 bits decides about matches, keepers and problems."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from daemon.jobs.scan_roots import ScanRoot
from index.database.records import images
from index.database.records.images import WatchRoot
from support.detections import Detections
from support.library import Library
from support.pictures import photograph

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\x10\0mdat" + bytes(range(256)) * 15 + bytes(248)


@pytest.fixture
def detections(library: Library) -> Detections:
    return Detections(library)


def packed(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def drawing(white: str) -> Image.Image:
    """The same black drawing, and a white one that shows on black only, on a transparent background."""
    picture = Image.new("RGBA", (420, 300), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    for x in range(20, 400, 40):
        draw.rectangle((x, 20, x + 17, 20 + (x * 7) % 90), fill=(0, 0, 0, 255))
        draw.line((x, 130, x + 30, 118 + x % 60), fill=(0, 0, 0, 255), width=5)
    draw.text((20, 190), white, fill=(255, 255, 255, 255), font_size=60)
    return picture


def kinds(detections: Detections) -> dict[tuple[str, str], str]:
    """The kind of each pair of a reference and another image, and the image kept, by the names of both."""
    found = {}
    for group in detections.result()["groups"]:
        reference, *others = group["images"]
        for image in others:
            names = tuple(sorted((reference["path"], image["path"])))
            kept = group["proposal"]["path"] if group["proposal"] else "all"
            found[names] = f"{image['kind']}, keep {kept}"
    return found


def test_each_kind_of_file(detections: Detections) -> None:
    first, second, third, fourth = (photograph(seed, 480, 360) for seed in (1, 2, 3, 4))
    sound = packed(third, "JPEG", quality=92)
    stretch = int(0.85 * len(sound))
    deep = np.asarray(fourth)[..., ::-1].astype(np.uint16) * 257
    frames = [photograph(seed, 200, 150) for seed in (5, 6, 7, 8)]
    moving = {"save_all": True, "duration": 100}
    clear = np.dstack([np.asarray(photograph(9, 300, 200)), np.full((200, 300), 255, np.uint8)])
    clear[:80, :, 3] = 0
    hidden = clear.copy()
    hidden[:80, :, :3] = 99
    put(detections.photos, {
        "film.jpg": packed(first, "JPEG", quality=90) + FILM,
        "still.jpg": packed(first, "JPEG", quality=90, comment=b"a still"),
        "no_end.jpg": packed(second, "JPEG", quality=90)[:-2],
        "with_end.jpg": packed(second, "JPEG", quality=90),
        "damaged.jpg": sound[:stretch] + bytes(400) + sound[stretch + 400 :],
        "sound.jpg": sound,
        "deep.tif": bytes(cv2.imencode(".tiff", deep)[1]),
        "export.png": packed(fourth, "PNG"),
        "cat.gif": packed(frames[0], "GIF", append_images=frames[1:3], **moving),
        "dog.gif": packed(frames[0], "GIF", append_images=frames[2:4], **moving),
        "cat.webp": packed(Image.open(io.BytesIO(packed(frames[0], "GIF"))).convert("RGB"), "WEBP", lossless=True),
        "plain.png": packed(Image.new("RGB", (130, 90), (70, 80, 90)), "PNG"),
        "plain.bmp": packed(Image.new("RGB", (130, 90), (70, 80, 90)), "BMP"),
        "other_plain.png": packed(Image.new("RGB", (130, 90), (70, 80, 91)), "PNG"),
        "clear.png": packed(Image.fromarray(clear), "PNG"),
        "hidden.png": packed(Image.fromarray(hidden), "PNG"),
        "welcome.png": packed(drawing("Welcome"), "PNG"),
        "closed.png": packed(drawing("Closed!"), "PNG"),
        "welcome_small.png": packed(drawing("Welcome").resize((336, 240), Image.Resampling.LANCZOS), "PNG"),
    })  # fmt: skip
    detections.scan()
    found = kinds(detections)
    assert found["film.jpg", "still.jpg"] == "near, keep film.jpg"
    assert found["no_end.jpg", "with_end.jpg"].startswith("pixels")
    assert found["damaged.jpg", "sound.jpg"] in ("near, keep sound.jpg", "possible, keep sound.jpg")
    assert found["deep.tif", "export.png"] == "near, keep deep.tif"
    assert found["cat.gif", "dog.gif"].startswith("possible")
    assert not [pair for pair, kind in found.items() if "cat.webp" in pair and not kind.startswith("possible")]
    assert found["plain.bmp", "plain.png"].startswith("pixels")
    assert not [pair for pair in found if "other_plain.png" in pair]
    assert found["clear.png", "hidden.png"].startswith("pixels")
    assert {kind.split(",")[0] for pair, kind in found.items() if "closed.png" in pair} <= {"possible"}
    assert found.get(("welcome.png", "welcome_small.png"), "near").startswith("near")
    assert detections.library.problems() == {"damaged.jpg": "damaged"}
    (group,) = [g for g in detections.result()["groups"] if any(i["path"] == "film.jpg" for i in g["images"])]
    (film,) = [image for image in group["images"] if image["path"] == "film.jpg"]
    assert film["attachments"] == [{"kind": "film", "size_bytes": len(FILM)}]
    sentences = " ".join(image["sentence"]["en"] for image in group["images"] if "sentence" in image)
    assert "video" in sentences


def test_a_flat_picture_that_comes_later_finds_its_equal(detections: Detections) -> None:
    blank = Image.new("L", (210, 297), 255)
    put(detections.photos, {"page.png": packed(blank, "PNG")})
    detections.scan()
    put(detections.photos, {"page.tif": packed(blank, "TIFF"), "small.png": packed(blank.resize((100, 297)), "PNG")})
    detections.scan()
    assert set(kinds(detections)) == {("page.png", "page.tif")}
    (detections.photos / "page.tif").unlink()
    detections.scan()
    assert kinds(detections) == {}


def test_facts_of_an_earlier_version_are_found_again_and_decisions_stay(detections: Detections) -> None:
    sound = packed(photograph(3, 480, 360), "JPEG", quality=92)
    put(detections.photos, {
        "a.jpg": sound[: len(sound) // 2] + bytes(400) + sound[len(sound) // 2 + 400 :],
        "b.jpg": sound + FILM,
    })  # fmt: skip
    detections.scan()
    wanted = detections.result()
    store = detections.library.store

    def age(database: Any) -> None:
        database.execute_sql(
            "UPDATE content SET facts_version = 0, damage = '', attachments = '[]', bit_depth = 8, pixel_digest = NULL"
        )
        database.execute_sql("DELETE FROM problem")
        for image_id, digest in database.execute_sql(
            "SELECT i.id, c.digest FROM image i JOIN content c ON c.id = i.content_id"
        ).fetchall():
            database.execute_sql(
                "INSERT INTO decision (image_id, choice, destination, origin, criterion, digest, decided_ns)"
                " VALUES (?, 'keep', '', 'user', '', ?, 1)",
                (image_id, digest),
            )
        for detection_id, parameters in database.execute_sql("SELECT id, parameters FROM detection").fetchall():
            changed = json.loads(parameters) | {"made_by": ["another"]}
            database.execute_sql(
                "UPDATE detection SET parameters = ? WHERE id = ?", (json.dumps(changed), detection_id)
            )

    store.write(age)
    before = detections.library.images()
    assert store.write(images.invalidate_outdated) == 2
    detections.library.watch(ScanRoot(WatchRoot(str(detections.photos).encode())))
    detections.scan()
    assert detections.result() == wanted
    assert detections.library.images() == before
    assert detections.library.problems() == {"a.jpg": "damaged"}
    with store.read() as database:
        rows = database.execute_sql("SELECT choice FROM decision").fetchall()
        stale = database.execute_sql(
            "SELECT count(*) FROM decision d JOIN image i ON i.id = d.image_id JOIN content c ON c.id = i.content_id"
            " WHERE c.digest <> d.digest"
        ).fetchone()
    assert (rows, stale) == ([("keep",)] * 2, (0,))
    assert store.write(images.invalidate_outdated) == 0
