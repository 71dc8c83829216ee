"""PURE: the evidence of one match as plain data, and as messages.

Evidence leads from a first picture to a second: the turn, applied to the first, gives the second; `scale` is the
second's size relative to the first. Keys without a value are left out:

    turn        one of Turn, where it is not "none"
    scale       sides of the second for one of the first, 1.0 left out
    stretch     how much wider for its height the second shows things, as a factor, in its own directions
    crop        {"of": "first", "box": [left, top, right, bottom]}: the second shows this part of the first, or vice
                versa; fractions of the sides of the larger, as it is shown
    frame       "first" or "second": which has something around the picture
    tilt        degrees by which the second is turned clockwise beyond the turn
    tone        {"brightness": grey levels added, "contrast": factor, "grey": "first" or "second", "saturation": factor,
                "warmth": levels by which red gained on blue, "hue": degrees by which all hues turned, from red to
                yellow}
    sharpness   strength of the second's fine detail relative to the first's, if it is the same detail: sharpened or
                blurred
    noise       the same, if it is other detail: noise that was added, or smoothed away
    changed     share of the picture that shows something else: a stamp, a caption
    where       {"first": box, "second": box}: around all of that, in each picture, boxes as above
    jpeg        [quality of the first, of the second], 0 for no JPEG
    formats     [of the first, of the second], where they differ
    frames      the same, of an animation or a file of several pages, of which only the first was compared
    first_of    the number of frames or pages of both, where only the first was compared and not all are equal
    depth       [bits per channel of the first, of the second], where they differ
    attachments {"lost": [[kind, bytes]...], "gained": ...}: what lies behind the first picture only, the second only
    clock       hours by which the second's time of capture is later, where it is the same moment in another time zone
    taken, camera  [of the first, of the second], if both files have it and they differ
    lost, gained   metadata blocks that only the first, only the second has
    pixels      true where every pixel is equal
    reason      of a possible match: why it is no more than that, as listed in `reasons`
    similarity  median correlation of the blocks compared, 0 to 1
    cosine      that of the vectors of both by a model, -1 to 1, where they were compared
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from index.imaging.verification.file_facts import zone_shift_h
from index.messages import Message, render
from index.model import RAW_FORMATS, TRANSPOSED, Facts, Turn

Evidence = Mapping[str, Any]

# Stored with every judgement; pairs judged by another version are verified again.
VERIFIER: Final = "blocks/32"

# What is said of the image that the sentences lead from.
PROPOSED: Final = Message("evidence.proposed")

SIDES: Final = {"first": "second", "second": "first"}
OPPOSITE: Final = {"lost": "gained", "gained": "lost"}


def of_files(first: Facts, second: Facts) -> dict[str, Any]:
    """The evidence from the facts of two files alone."""
    evidence: dict[str, Any] = {}
    if first.jpeg_quality or second.jpeg_quality:
        evidence["jpeg"] = [first.jpeg_quality, second.jpeg_quality]
    if first.format != second.format:
        evidence["formats"] = [first.format, second.format]
    if first.frames != second.frames:
        evidence["frames"] = [first.frames, second.frames]
    elif first.frames > 1:
        evidence["first_of"] = first.frames
    # Of a RAW file, those of its preview are known.
    if first.bit_depth != second.bit_depth and not {first.format, second.format} & RAW_FORMATS:
        evidence["depth"] = [first.bit_depth, second.bit_depth]
    parts = {"lost": _parts_beyond(first, second), "gained": _parts_beyond(second, first)}
    if any(parts.values()):
        evidence["attachments"] = {name: of_one for name, of_one in parts.items() if of_one}
    capture = {"taken": [first.taken, second.taken], "camera": [first.camera, second.camera]}
    evidence |= {name: both for name, both in capture.items() if all(both) and both[0] != both[1]}
    shift_h = zone_shift_h(first.taken, second.taken)
    if shift_h and "taken" in evidence:
        del evidence["taken"]
        evidence["clock"] = shift_h
    lost = [block for block in first.metadata if block not in second.metadata]
    gained = [block for block in second.metadata if block not in first.metadata]
    return evidence | ({"lost": lost} if lost else {}) | ({"gained": gained} if gained else {})


def _parts_beyond(file: Facts, other: Facts) -> list[list[str | int]]:
    """What lies behind the picture of a file, and not behind that of the other."""
    return [[part.kind, part.size_bytes] for part in file.attachments if part not in other.attachments]


def of_same_pixels(first: Facts, second: Facts) -> dict[str, Any]:
    """The evidence of two files that decode to the same pixels."""
    evidence = {"pixels": True, "similarity": 1.0, **of_files(first, second)}
    # Here all of them are compared.
    evidence.pop("first_of", None)
    return evidence


def reversed_evidence(evidence: Evidence) -> dict[str, Any]:
    """The same evidence, from the second picture to the first."""
    back = dict(evidence)
    if "turn" in back:
        back["turn"] = str(Turn(back["turn"]).inverse)
    if "scale" in back:
        back["scale"] = max(0.0001, round(1 / back["scale"], 4)) if back["scale"] else 10_000.0
    if "stretch" in back and back.get("turn") not in TRANSPOSED:
        back["stretch"] = round(1 / back["stretch"], 3)
    for name in ("sharpness", "noise"):
        if name in back:
            back[name] = _inverse(back[name])
    if "crop" in back:
        back["crop"] = {**back["crop"], "of": SIDES[back["crop"]["of"]]}
    if "frame" in back:
        back["frame"] = SIDES[back["frame"]]
    if "where" in back:
        back["where"] = {SIDES[side]: box for side, box in back["where"].items()}
    if "clock" in back:
        back["clock"] = -back["clock"]
    if "tilt" in back:
        flipped = back.get("turn") in (Turn.FLIP_HORIZONTAL, Turn.FLIP_VERTICAL, Turn.TRANSPOSE, Turn.TRANSVERSE)
        back["tilt"] = back["tilt"] if flipped else -back["tilt"]
    if "tone" in back:
        back["tone"] = _reversed_tone(back["tone"])
    if "attachments" in back:
        back["attachments"] = {OPPOSITE[name]: parts for name, parts in back["attachments"].items()}
    for name in ("jpeg", "formats", "frames", "depth", "taken", "camera"):
        if name in back:
            back[name] = back[name][::-1]
    lost, gained = back.pop("lost", None), back.pop("gained", None)
    back |= ({"lost": gained} if gained else {}) | ({"gained": lost} if lost else {})
    # As it is stored: the order of names must not show which of the two was indexed first.
    return {
        name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in sorted(back.items())
    }


def _reversed_tone(tone: Mapping[str, Any]) -> dict[str, Any]:
    back: dict[str, Any] = {}
    if "brightness" in tone:
        back["brightness"] = -tone["brightness"]
    if "warmth" in tone:
        back["warmth"] = -tone["warmth"]
    if "hue" in tone:
        back["hue"] = -tone["hue"]
    back |= {name: _inverse(tone[name]) for name in ("contrast", "saturation") if name in tone}
    if "grey" in tone:
        back["grey"] = SIDES[tone["grey"]]
    return back


def _inverse(factor: float) -> float:
    return max(0.01, round(1 / factor, 2)) if factor else 100.0


def sentence(evidence: Evidence, language: str = "en") -> str:
    """What was done to the first picture to get the second, in words; "the same picture" where nothing shows."""
    return ", ".join(render(message, language) for message in account(evidence))


def account(evidence: Evidence) -> list[Message]:
    """The same, one message for each thing that was done; at least one."""
    found = [
        *([Message(f"evidence.reason_{evidence['reason']}")] if "reason" in evidence else []),
        *([Message("evidence.pixels")] if evidence.get("pixels") else []),
        *_frames(evidence),
        *([Message(f"evidence.{evidence['turn']}")] if "turn" in evidence else []),
        *_size(evidence),
        *_stretch(evidence),
        *_frame(evidence),
        *([Message("evidence.tilt", degrees=abs(evidence["tilt"]))] if "tilt" in evidence else []),
        *_tone(evidence.get("tone", {})),
        *(_more(name, evidence[name]) for name in ("sharpness", "noise") if name in evidence),
        *_changed(evidence),
        *_encoding(evidence),
        *_depth(evidence),
        *_parts(evidence),
        *([Message("evidence.clock", hours=float(evidence["clock"]))] if "clock" in evidence else []),
        *(Message(f"evidence.{name}") for name in ("taken", "camera") if name in evidence),
        *_blocks(evidence),
    ]
    return found or [Message("evidence.same")]


def _frames(evidence: Evidence) -> Iterator[Message]:
    first, second = evidence.get("frames", (1, 1))
    if first != second:
        word = "still" if second == 1 else "animated" if first == 1 else "frames"
        yield Message(f"evidence.{word}", first=first, second=second)
    if "first_of" in evidence:
        yield Message("evidence.first_of", n=evidence["first_of"])


def _size(evidence: Evidence) -> Iterator[Message]:
    # That of the height where the width is reported separately: what was only made wider is not larger as well.
    scale = evidence.get("scale", 1.0) / max(0.01, evidence.get("stretch", 1.0)) ** 0.5
    for factor, name in ((0.5, "half"), (0.25, "quarter"), (2.0, "double")):
        if abs(scale / factor - 1) < 0.02:
            yield Message(f"evidence.{name}")
            return
    if abs(scale - 1) >= 0.01:
        yield Message("evidence.smaller" if scale < 1 else "evidence.larger", percent=_percent(scale))


def _stretch(evidence: Evidence) -> Iterator[Message]:
    if "stretch" in evidence:
        stretch = evidence["stretch"]
        yield Message("evidence.wider" if stretch > 1 else "evidence.narrower", percent=_percent(stretch))


def _more(name: str, factor: float) -> Message:
    return Message(f"evidence.{'more' if factor > 1 else 'less'}_{name}")


def _frame(evidence: Evidence) -> Iterator[Message]:
    if "crop" in evidence:
        x0, y0, x1, y1 = evidence["crop"]["box"]
        yield Message(f"evidence.crop_{evidence['crop']['of']}", percent=round(100 * (x1 - x0) * (y1 - y0)))
    if "frame" in evidence:
        yield Message(f"evidence.frame_{evidence['frame']}")


def _changed(evidence: Evidence) -> Iterator[Message]:
    if "changed" not in evidence:
        return
    percent = max(1, round(100 * evidence["changed"]))
    x0, y0, x1, y1 = evidence.get("where", {}).get("second", (0, 0, 1, 1))
    down = "bottom" if y0 >= 0.6 else "top" if y1 <= 0.4 else ""
    across = "right" if x0 >= 0.6 else "left" if x1 <= 0.4 else ""
    place = "_".join(filter(None, (down, across)))
    if place:
        yield Message("evidence.changed_at", percent=percent, place=Message(f"evidence.at_{place}"))
    else:
        yield Message("evidence.changed", percent=percent)


def _tone(tone: Mapping[str, Any]) -> Iterator[Message]:
    if "grey" in tone:
        yield Message(f"evidence.grey_{tone['grey']}")
    if "brightness" in tone:
        yield Message("evidence.brighter" if tone["brightness"] > 0 else "evidence.darker")
    yield from (_more(name, tone[name]) for name in ("contrast", "saturation") if name in tone)
    if "hue" in tone:
        yield Message("evidence.hue", degrees=10 * round(abs(tone["hue"]) / 10))
    if "warmth" in tone:
        yield Message("evidence.warmer" if tone["warmth"] > 0 else "evidence.colder")


def _encoding(evidence: Evidence) -> Iterator[Message]:
    before, after = evidence.get("jpeg", (0, 0))
    if "formats" in evidence:
        one, other = (
            f"JPEG {quality}" if name == "JPEG" else NAMES.get(name, name)
            for name, quality in zip(evidence["formats"], (before, after), strict=True)
        )
        yield Message("evidence.encoded", before=one, after=other)
    elif before and after and abs(before - after) > 1:
        yield Message("evidence.encoded", before=f"JPEG {before}", after=after)


def _depth(evidence: Evidence) -> Iterator[Message]:
    if "depth" in evidence:
        before, after = evidence["depth"]
        yield Message("evidence.depth", before=before, after=after)


def _parts(evidence: Evidence) -> Iterator[Message]:
    """What lies behind one of the pictures only: a film, a gain map."""
    for name, parts in evidence.get("attachments", {}).items():
        for kind, size_bytes in parts:
            yield Message(f"evidence.{name}_{kind}", size=_size_of(size_bytes))


def _size_of(size_bytes: int) -> Message:
    if size_bytes < 1_000_000:
        return Message("size.kilobytes", n=max(1, round(size_bytes / 1000)))
    return Message("size.megabytes", n=round(size_bytes / 1_000_000, 1))


def _blocks(evidence: Evidence) -> Iterator[Message]:
    """The metadata blocks that are lost or gained: EXIF, GPS or XMP."""
    for name, last in (("lost", "evidence.or"), ("gained", "evidence.and")):
        if name in evidence:
            *most, end = (block.upper() for block in evidence[name])
            blocks = Message(last, names=", ".join(most), last=end) if most else end
            yield Message(f"evidence.{name}", blocks=blocks)


def _percent(factor: float) -> float:
    """In whole numbers, but for what is next to all or next to nothing."""
    return round(100 * factor, 1 if abs(factor - 1) < 0.05 or factor < 0.1 else None)


# Formats that write themselves otherwise than in capitals.
NAMES: Final = {"WEBP": "WebP"}
