"""The model that ships is the one of its card, says how it wants its pictures, and names what it was trained on."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from fitting.model import preparation
from fitting.model.photographs import is_held_out
from index.imaging.embedding.cosine_limits import CosineLimits, parse_limits

TOP = Path(__file__).parents[2]
MODEL = TOP / "index/imaging/embedding/default.onnx"
CARD = TOP / "docs/model-card.md"
RECIPE = TOP / "fitting/model"


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields with a length of a protocol buffer message: number, bytes. Raises IndexError where it is cut."""

    def number(place: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[place]
            value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
            if byte < 128:
                return value, place

    place = 0
    while place < len(data):
        key, place = number(place)
        if key & 7 == 0:
            _, place = number(place)
        else:
            assert key & 7 == 2
            length, place = number(place)
            yield key >> 3, data[place : place + length]
            place += length


def test_the_shipped_model_is_the_one_of_the_card() -> None:
    digests = re.findall(r"SHA-256 `([0-9a-f]{64})`", CARD.read_text("utf-8"))
    assert digests == [hashlib.sha256(MODEL.read_bytes()).hexdigest()]


def metadata() -> dict[str, str]:
    said = {}
    for kind, data in fields(MODEL.read_bytes()):
        if kind == 14:
            entry = dict(fields(data))
            said[entry[1].decode()] = entry[2].decode()
    return said


def test_the_shipped_model_has_no_steps_that_only_add_zeros() -> None:
    # Between 8-bit integers each costs a pass in float: see fitting/model/padding.py.
    graph = next(data for kind, data in fields(MODEL.read_bytes()) if kind == 7)
    operators = {dict(fields(node))[4] for kind, node in fields(graph) if kind == 1}
    assert b"Conv" in operators
    assert b"Pad" not in operators


def test_the_shipped_model_has_the_limits_that_were_fitted() -> None:
    fitted = json.loads((RECIPE / "limits.json").read_text("utf-8"))["limits"]
    limits = parse_limits(metadata()["comparimg.cosines"])
    assert limits == CosineLimits(**{name: row["limit"] for name, row in fitted.items()})
    # The limit of further pictures is fitted on strangers, the others on copies.
    assert all(row["copies"] > 50 for name, row in fitted.items() if name != "further")
    assert all(row["strangers that pass"] < 0.05 for row in fitted.values())


def test_the_shipped_model_says_how_it_wants_its_pictures() -> None:
    said = metadata()
    assert said["comparimg.size"] == f"{preparation.SIDE}x{preparation.SIDE}"
    assert said["comparimg.mean"] == ",".join([f"{preparation.MEAN:.0f}"] * 3)
    assert said["comparimg.std"] == ",".join([f"{preparation.DEVIATION:.0f}"] * 3)
    assert (said["comparimg.fit"], said["comparimg.channels"]) == ("stretch", "RGB")
    assert said["comparimg.resize"] == f"bilinear-{2 * preparation.SIDE},bicubic"
    assert said["comparimg.licence"].startswith("Apache-2.0")
    assert "Apache License" in (MODEL.parent / "LICENSE.txt").read_text("utf-8")


def test_the_photographs_that_ship_as_a_list_are_split_by_their_digests() -> None:
    table = json.loads((RECIPE / "photographs.json").read_text("utf-8"))
    assert all(entry["licence"] and entry["address"].startswith("https://") for entry in table)
    trained = [digest for entry in table for digest in entry["trained"]]
    held_out = [digest for entry in table for digest in entry["held_out"]]
    assert not any(map(is_held_out, trained))
    assert all(map(is_held_out, held_out))
    assert len({*trained, *held_out}) == len(trained) + len(held_out)
