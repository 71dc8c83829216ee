"""PURE: the account of one match as plain data, and as a sentence in English or French.

Evidence leads from a first picture to a second: the turn, applied to the first, gives the second; `scale` is the
second's size relative to the first. Keys that have nothing to tell are left out:

    turn        one of Turn, where it is not "none"
    scale       sides of the second for one of the first, 1.0 left out
    stretch     how much wider for its height the second shows things, as a factor, in its own directions
    crop        {"of": "first", "box": [left, top, right, bottom]}: the second shows this part of the first, or the
                other way round; fractions of the sides of the larger, as it is shown
    frame       "first" or "second": that one has something around the picture
    tilt        degrees by which the second is turned clockwise beyond the turn
    tone        {"brightness": grey levels added, "contrast": factor, "grey": "first" or "second", "saturation": factor,
                "warmth": levels by which red gained on blue}
    sharpness   strength of the second's fine detail for the first's, where it is the same detail: sharpened, blurred
    noise       the same, where it is another: noise that was added, or was smoothed away
    changed     share of the picture that shows something else: a stamp, a caption
    where       {"first": box, "second": box}: around all of that, in each picture, boxes as above
    jpeg        [quality of the first, of the second], 0 for no JPEG
    formats     [of the first, of the second], where they differ
    frames      the same, of an animation or a file of several pages, of which only the first was compared
    taken, camera  [of the first, of the second], where both files tell and they differ
    lost, gained   metadata blocks that only the first, only the second has
    pixels      true where every pixel is equal
    similarity  median correlation of the blocks compared, 0 to 1
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from index.model import Facts, Turn

Evidence = Mapping[str, Any]

# Carried by every judgement; another value makes every pair be looked at again.
VERIFIER: Final = "blocks/21"

TRANSPOSED: Final = frozenset((Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE))
SIDES: Final = {"first": "second", "second": "first"}


def of_files(first: Facts, second: Facts) -> dict[str, Any]:
    """What the facts of two files alone tell."""
    found: dict[str, Any] = {}
    if first.jpeg_quality or second.jpeg_quality:
        found["jpeg"] = [first.jpeg_quality, second.jpeg_quality]
    if first.format != second.format:
        found["formats"] = [first.format, second.format]
    if first.frames != second.frames:
        found["frames"] = [first.frames, second.frames]
    told = {"taken": [first.taken, second.taken], "camera": [first.camera, second.camera]}
    found |= {name: both for name, both in told.items() if all(both) and both[0] != both[1]}
    lost = [block for block in first.metadata if block not in second.metadata]
    gained = [block for block in second.metadata if block not in first.metadata]
    return found | ({"lost": lost} if lost else {}) | ({"gained": gained} if gained else {})


def of_same_pixels(first: Facts, second: Facts) -> dict[str, Any]:
    """Two files that decode to the same pixels."""
    return {"pixels": True, "similarity": 1.0, **of_files(first, second)}


def mirrored(evidence: Evidence) -> dict[str, Any]:
    """The same account, led from the second picture to the first."""
    found = dict(evidence)
    if "turn" in found:
        found["turn"] = str(Turn(found["turn"]).inverse)
    if "scale" in found:
        found["scale"] = max(0.0001, round(1 / found["scale"], 4)) if found["scale"] else 10_000.0
    if "stretch" in found and found.get("turn") not in TRANSPOSED:
        found["stretch"] = round(1 / found["stretch"], 3)
    for name in ("sharpness", "noise"):
        if name in found:
            found[name] = _inverse(found[name])
    if "crop" in found:
        found["crop"] = {**found["crop"], "of": SIDES[found["crop"]["of"]]}
    if "frame" in found:
        found["frame"] = SIDES[found["frame"]]
    if "where" in found:
        found["where"] = {SIDES[side]: box for side, box in found["where"].items()}
    if "tilt" in found:
        flipped = found.get("turn") in (Turn.FLIP_HORIZONTAL, Turn.FLIP_VERTICAL, Turn.TRANSPOSE, Turn.TRANSVERSE)
        found["tilt"] = found["tilt"] if flipped else -found["tilt"]
    if "tone" in found:
        found["tone"] = _mirrored_tone(found["tone"])
    for name in ("jpeg", "formats", "frames", "taken", "camera"):
        if name in found:
            found[name] = found[name][::-1]
    lost, gained = found.pop("lost", None), found.pop("gained", None)
    return found | ({"lost": gained} if gained else {}) | ({"gained": lost} if lost else {})


def _mirrored_tone(tone: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "brightness" in tone:
        found["brightness"] = -tone["brightness"]
    if "warmth" in tone:
        found["warmth"] = -tone["warmth"]
    found |= {name: _inverse(tone[name]) for name in ("contrast", "saturation") if name in tone}
    if "grey" in tone:
        found["grey"] = SIDES[tone["grey"]]
    return found


def _inverse(factor: float) -> float:
    return max(0.01, round(1 / factor, 2)) if factor else 100.0


def sentence(evidence: Evidence, language: str = "en") -> str:
    """What was done to the first picture to get the second, in words; "the same picture" where nothing shows."""
    words = FRENCH if language == "fr" else ENGLISH
    told = [
        part
        for part in (
            words["pixels"] if evidence.get("pixels") else "",
            _frames(evidence, words),
            words[evidence["turn"]] if "turn" in evidence else "",
            _size(evidence, words),
            _stretch(evidence, words),
            _frame(evidence, words),
            words["tilt"].format(_number(abs(evidence["tilt"]), words)) if "tilt" in evidence else "",
            *_tone(evidence.get("tone", {}), words),
            *(words[_more(name, evidence[name])] for name in ("sharpness", "noise") if name in evidence),
            _changed(evidence, words),
            _encoding(evidence, words),
            *(words[name] for name in ("taken", "camera") if name in evidence),
            *(
                words[name].format(_listed([block.upper() for block in evidence[name]], words["last_" + name]))
                for name in ("lost", "gained")
                if name in evidence
            ),
        )
        if part
    ]
    return ", ".join(told) or words["same"]


def _frames(evidence: Evidence, words: Mapping[str, str]) -> str:
    first, second = evidence.get("frames", (1, 1))
    if first == second:
        return ""
    return words["still" if second == 1 else "animated" if first == 1 else "frames"].format(first, second)


def _size(evidence: Evidence, words: Mapping[str, str]) -> str:
    # That of the height where the width is told apart: what was only made wider is not larger as well.
    scale = evidence.get("scale", 1.0) / max(0.01, evidence.get("stretch", 1.0)) ** 0.5
    for factor, name in ((0.5, "half"), (0.25, "quarter"), (2.0, "double")):
        if abs(scale / factor - 1) < 0.02:
            return words[name]
    if abs(scale - 1) < 0.01:
        return ""
    return words["smaller" if scale < 1 else "larger"].format(_percent(scale, words))


def _stretch(evidence: Evidence, words: Mapping[str, str]) -> str:
    if "stretch" not in evidence:
        return ""
    stretch = evidence["stretch"]
    return words["wider" if stretch > 1 else "narrower"].format(_percent(stretch, words))


def _more(name: str, factor: float) -> str:
    return ("more_" if factor > 1 else "less_") + name


def _frame(evidence: Evidence, words: Mapping[str, str]) -> str:
    told = []
    if "crop" in evidence:
        x0, y0, x1, y1 = evidence["crop"]["box"]
        share = round(100 * (x1 - x0) * (y1 - y0))
        told.append(words["crop_" + evidence["crop"]["of"]].format(share))
    if "frame" in evidence:
        told.append(words["frame_" + evidence["frame"]])
    return ", ".join(told)


def _changed(evidence: Evidence, words: Mapping[str, str]) -> str:
    if "changed" not in evidence:
        return ""
    told = words["changed"].format(max(1, round(100 * evidence["changed"])))
    x0, y0, x1, y1 = evidence.get("where", {}).get("second", (0, 0, 1, 1))
    down = "bottom" if y0 >= 0.6 else "top" if y1 <= 0.4 else ""
    across = "right" if x0 >= 0.6 else "left" if x1 <= 0.4 else ""
    place = "_".join(filter(None, (down, across)))
    return f"{told} {words['at_' + place]}" if place else told


def _tone(tone: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    told = []
    if "grey" in tone:
        told.append(words["grey_" + tone["grey"]])
    if "brightness" in tone:
        told.append(words["brighter" if tone["brightness"] > 0 else "darker"])
    told += [words[_more(name, tone[name])] for name in ("contrast", "saturation") if name in tone]
    if "warmth" in tone:
        told.append(words["warmer" if tone["warmth"] > 0 else "colder"])
    return told


def _encoding(evidence: Evidence, words: Mapping[str, str]) -> str:
    before, after = evidence.get("jpeg", (0, 0))
    if "formats" in evidence:
        one, other = (
            f"JPEG {quality}" if name == "JPEG" else NAMES.get(name, name)
            for name, quality in zip(evidence["formats"], (before, after), strict=True)
        )
        return words["to"].format(one, other)
    if before and after and abs(before - after) > 1:
        return words["to"].format(f"JPEG {before}", after)
    return ""


def _percent(factor: float, words: Mapping[str, str]) -> str:
    """In whole numbers, but for what is next to all or next to nothing."""
    return _number(round(100 * factor, 1 if abs(factor - 1) < 0.05 or factor < 0.1 else None), words)


def _listed(names: Sequence[str], last: str) -> str:
    """EXIF, GPS or XMP."""
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _number(value: float, words: Mapping[str, str]) -> str:
    return f"{value:g}".replace(".", words["point"])


# Formats that write themselves otherwise than in capitals.
NAMES: Final = {"WEBP": "WebP"}

ENGLISH: Final = {
    "point": ".",
    "same": "the same picture",
    "pixels": "the same pixels",
    Turn.FLIP_HORIZONTAL: "mirrored",
    Turn.FLIP_VERTICAL: "flipped upside down",
    Turn.ROTATE_180: "turned by 180°",
    Turn.ROTATE_90: "turned right",
    Turn.ROTATE_270: "turned left",
    Turn.TRANSPOSE: "mirrored and turned left",
    Turn.TRANSVERSE: "mirrored and turned right",
    "half": "half the size",
    "quarter": "a quarter of the size",
    "double": "twice the size",
    "smaller": "reduced to {} %",
    "larger": "enlarged to {} %",
    "crop_first": "cropped to {} % of the picture",
    "crop_second": "shows more ({} % of it is the other picture)",
    "frame_first": "without the frame",
    "frame_second": "with a frame or surroundings",
    "tilt": "tilted by {}°",
    "grey_first": "in colour",
    "grey_second": "in greys",
    "brighter": "brighter",
    "darker": "darker",
    "more_contrast": "more contrast",
    "less_contrast": "less contrast",
    "more_saturation": "stronger colours",
    "less_saturation": "paler colours",
    "warmer": "warmer colours",
    "colder": "colder colours",
    "more_sharpness": "sharper",
    "less_sharpness": "softer",
    "more_noise": "noisier",
    "less_noise": "smoother",
    "wider": "stretched to {} % in width",
    "narrower": "squeezed to {} % in width",
    "changed": "{} % of it shows something else",
    "at_top": "at the top",
    "at_bottom": "at the bottom",
    "at_left": "on the left",
    "at_right": "on the right",
    "at_top_left": "at the top left",
    "at_top_right": "at the top right",
    "at_bottom_left": "at the bottom left",
    "at_bottom_right": "at the bottom right",
    "to": "{} to {}",
    "still": "only the first of {0} frames",
    "animated": "the first of {1} frames, of which the others are not compared",
    "frames": "the first frame of {1} for that of {0}",
    "taken": "taken at another time",
    "camera": "taken by another camera",
    "lost": "no {}",
    "gained": "with {}",
    "last_lost": "or",
    "last_gained": "and",
}

FRENCH: Final = {
    "point": ",",
    "same": "la même image",
    "pixels": "les mêmes pixels",
    Turn.FLIP_HORIZONTAL: "en miroir",
    Turn.FLIP_VERTICAL: "retournée de haut en bas",
    Turn.ROTATE_180: "tournée de 180°",
    Turn.ROTATE_90: "tournée à droite",
    Turn.ROTATE_270: "tournée à gauche",
    Turn.TRANSPOSE: "en miroir et tournée à gauche",
    Turn.TRANSVERSE: "en miroir et tournée à droite",
    "half": "réduite de moitié",
    "quarter": "réduite au quart",
    "double": "deux fois plus grande",
    "smaller": "réduite à {} %",
    "larger": "agrandie à {} %",
    "crop_first": "recadrée à {} % de l'image",
    "crop_second": "montre davantage (l'autre image en couvre {} %)",
    "frame_first": "sans le cadre",
    "frame_second": "avec un cadre ou un entourage",
    "tilt": "inclinée de {}°",
    "grey_first": "en couleurs",
    "grey_second": "en niveaux de gris",
    "brighter": "plus claire",
    "darker": "plus sombre",
    "more_contrast": "plus contrastée",
    "less_contrast": "moins contrastée",
    "more_saturation": "couleurs plus vives",
    "less_saturation": "couleurs plus pâles",
    "warmer": "couleurs plus chaudes",
    "colder": "couleurs plus froides",
    "more_sharpness": "plus nette",
    "less_sharpness": "plus floue",
    "more_noise": "plus bruitée",
    "less_noise": "plus lisse",
    "wider": "étirée à {} % en largeur",
    "narrower": "comprimée à {} % en largeur",
    "changed": "autre chose sur {} % de l'image",
    "at_top": "en haut",
    "at_bottom": "en bas",
    "at_left": "à gauche",
    "at_right": "à droite",
    "at_top_left": "en haut à gauche",
    "at_top_right": "en haut à droite",
    "at_bottom_left": "en bas à gauche",
    "at_bottom_right": "en bas à droite",
    "to": "de {} à {}",
    "still": "seulement la première de {0} images",
    "animated": "la première de {1} images, dont les autres ne sont pas comparées",
    "frames": "la première image de {1} pour celle de {0}",
    "taken": "prise à un autre moment",
    "camera": "prise avec un autre appareil",
    "lost": "sans {}",
    "gained": "avec {}",
    "last_lost": "ni",
    "last_gained": "et",
}
