"""What is written about pictures, from the files on disk to what is shown."""

import json
import os
from typing import Any

import pytest

from index.database.queries import listing
from index.database.records.origins import sidecar_descriptions
from support.detections import Detections
from support.library import Library
from support.pictures import photograph, save
from support.xmp import packet


@pytest.fixture
def detections(library: Library) -> Detections:
    return Detections(library)


def shown(detections: Detections) -> dict[str, dict[str, Any]]:
    (group,) = detections.detect()["groups"]
    return {os.path.basename(image["path"]): image for image in group["images"]}


def test_sidecars_takeout_and_names_date_and_describe_the_images_of_a_group(detections: Detections) -> None:
    folder = detections.photos
    first = save(photograph(3), folder / "first.jpg", quality=95)
    save(photograph(3), folder / "second.jpg", quality=90)
    save(photograph(3), folder / "IMG_20150203_040506.jpg", quality=85)
    (folder / "first.jpg.xmp").write_bytes(packet('xmp:Rating="4" photoshop:DateCreated="2016-01-02T03:04:05"'))
    taken = {"timestamp": "1563093062"}
    (folder / "second.jpg.supplemental-meta.json").write_text(json.dumps({"photoTakenTime": taken}))
    detections.library.scan()
    images = shown(detections)
    assert {name: (image["taken"], image["description"]["dated_by"]) for name, image in images.items()} == {
        "first.jpg": ("2016-01-02T03:04:05", "sidecar"),
        "second.jpg": ("2019-07-14T08:31:02", "takeout"),
        "IMG_20150203_040506.jpg": ("2015-02-03T04:05:06", "name"),
    }
    assert images["first.jpg"]["description"]["rating"] == 4
    with detections.library.store.read() as database:
        rows = listing.files_with_ids(database, [1, 2, 3])
    assert {os.path.basename(row.path): row.description.dated_by for row in rows.values()}[b"first.jpg"] == "sidecar"
    first.with_name("first.jpg.xmp").unlink()
    assert shown(detections)["first.jpg"]["taken"] is None


@pytest.mark.parametrize("data", [b"", b"<" * 10**6, b"\0" * 100, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_a_hostile_sidecar_costs_nothing(detections: Detections, data: bytes) -> None:
    folder = detections.photos
    for name, quality in (("a", 95), ("b", 80)):
        save(photograph(3), folder / f"{name}.jpg", quality=quality)
    (folder / "a.xmp").write_bytes(data)
    os.symlink("/etc/passwd", folder / "b.xmp")
    os.mkfifo(folder / "a.jpg.json")
    detections.library.scan()
    assert len(shown(detections)) == 2
    with detections.library.store.read() as database:
        assert all(not said.taken and not said.keywords for said in sidecar_descriptions(database, [1, 2]).values())
