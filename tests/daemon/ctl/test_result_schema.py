"""Real result files are as docs/result-file.schema.json says, which is generated from the types of the answers."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from PIL import Image, ImageOps

from daemon.ctl import oneshot
from daemon.jobs.progress import NullProgress
from index.database.queries import result_file
from index.database.records.jobs import DetectJobParameters
from index.database.store import Store
from index.model import Method
from support import result_schema
from support.pictures import photograph, save, unutf8

SCHEMA = json.loads(result_schema.FILE.read_text("utf-8"))
CLOSED = Draft202012Validator(result_schema.closed(SCHEMA))


def read_back(result: dict[str, Any]) -> dict[str, Any]:
    """A result as a program reads it. The validator takes no lone surrogates: they are replaced as for showing."""
    text = io.StringIO()
    result_file.write_json(result, text)
    written = json.dumps(json.loads(text.getvalue()), ensure_ascii=False)
    document: dict[str, Any] = json.loads(written.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return document


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Copies of many kinds, with a date, a sidecar and a name that is no UTF-8; a broken file, a drawing."""
    folder = tmp_path_factory.mktemp("pictures")
    exif = Image.Exif()
    exif[306] = "2021:05:01 10:00:00"
    first = save(photograph(1), folder / "a.jpg", quality=92, exif=exif)
    (folder / "a.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    shutil.copyfile(first, folder / unutf8("ä copy.jpg"))
    save(ImageOps.mirror(photograph(1)).resize((320, 240)), folder / "mirrored.png")
    save(ImageOps.expand(photograph(2), 30, "white"), folder / "framed.jpg")
    save(photograph(2), folder / "b.png")
    (folder / "broken.jpg").write_bytes(first.read_bytes()[:2000])
    (folder / "drawing.svg").write_text("<svg/>")
    wanted = DetectJobParameters(method=Method.HASH)
    return read_back(oneshot.detect([folder], wanted, tmp_path_factory.mktemp("data"), NullProgress()).result)


def test_the_schema_is_generated_from_the_types() -> None:
    assert result_schema.document() == SCHEMA


def test_a_real_result_has_the_described_fields_and_no_others(result: dict[str, Any]) -> None:
    assert [len(group["images"]) for group in result["groups"]] in ([3, 2], [2, 3])
    assert all(group["proposal"]["reasons"] for group in result["groups"])
    assert len(result["problems"]) == 1
    assert result["skipped"]
    CLOSED.validate(result)


def test_so_has_a_result_before_the_first_detection(tmp_path: Path) -> None:
    with Store(tmp_path) as store, store.read() as database:
        CLOSED.validate(read_back(result_file.result(database)))


def test_so_have_a_group_without_a_proposal_and_a_lowered_tolerance(result: dict[str, Any]) -> None:
    scene = result["groups"][0] | {"scene": True, "proposal": None}
    parameters = result["parameters"] | {"tolerance": 74, "tolerance_lowered_for": 1 << 20}
    CLOSED.validate(result | {"groups": [scene], "parameters": parameters})


def test_later_fields_are_allowed(result: dict[str, Any]) -> None:
    assert Draft202012Validator(SCHEMA).is_valid(result | {"later": 1})
    assert not CLOSED.is_valid(result | {"later": 1})


@pytest.mark.parametrize(
    "wrong",
    [{"format": "comparimg/2"}, {"groups": None}, {"problems": [{"path": "/a"}]}, {"created": 3}],
    ids=str,
)
def test_the_schema_refuses_what_is_no_result(result: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(result | wrong)
