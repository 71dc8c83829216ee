"""Groups of an original and its copies, and what the program finds when it compares their files."""

import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageOps

from index.errors import PictureError
from index.imaging.decoding import pictures
from index.imaging.originality.composed import composed
from index.imaging.originality.file_signs import FileSeen, file_signs
from index.imaging.originality.pair_evidence import Member, made_from
from index.imaging.originality.tracing import trace_of
from index.imaging.verification.edit_evidence import reversed_evidence
from index.imaging.verification.verify import judge, prepare
from index.model import Kind, Turn
from samples.copies import EDITORS, ENCODER_WEIGHTS, ENCODERS, KINDS, Edit, File, encode, record, table_like

LIMITS: Final = pictures.Limits()
DAY: Final = 86400
NOW: Final = 1_700_000_000
TURNS: Final = {"rotated": (Turn.ROTATE_90, Turn.ROTATE_180, Turn.ROTATE_270), "mirrored": (Turn.FLIP_HORIZONTAL,)}


@dataclass
class Pair:
    """Two files of a case, the earlier first: the evidence for and against that order."""

    forward: dict[str, float]
    backward: dict[str, float]
    kind: str


@dataclass
class Case:
    """A group: its files, the root first, and the evidence on each pair (i, j), i < j."""

    families: list[str]
    kinds: list[str]
    encoders: list[str]
    members: list[Member]
    seen: list[FileSeen]
    evidence: dict[tuple[int, int], dict[str, Any]]
    pairs: dict[tuple[int, int], Pair]

    def look(self) -> None:
        """The evidence for and against each pair, by the present rules."""
        for (i, j), evidence in self.evidence.items():
            forward = made_from(self.members[i], self.members[j], evidence) | file_signs(self.seen[i], self.seen[j])
            back = made_from(self.members[j], self.members[i], reversed_evidence(evidence))
            self.pairs[i, j] = Pair(forward, back | file_signs(self.seen[j], self.seen[i]), self.kinds[j])


def make_case(
    photo: str,
    seed: int,
    copies: int,
    of_original: float = 0.75,
    *,
    edited: bool = False,
    kinds: Mapping[str, tuple[str, Edit]] = KINDS,
) -> list[File]:
    """An original and copies: copies of the original with this probability, otherwise of any file so far. If it was
    `edited`, they are copies of the first copy instead, as of a picture that was edited before it was sent on."""
    rng = random.Random(seed)
    with Image.open(photo) as opened:
        base = ImageOps.exif_transpose(opened).convert("RGB")
    resaved = rng.random() < 0.35
    if not resaved or max(base.size) > 1200:
        factor = min(rng.uniform(0.6, 0.85), 900 / max(base.size))
        base = base.resize((round(base.width * factor), round(base.height * factor)), Image.Resampling.LANCZOS)
    if resaved:
        # Received pictures have been through all kinds of encoders, not only those of one collection.
        smaller = base.resize((round(base.width * 0.93), round(base.height * 0.93)), Image.Resampling.LANCZOS)
        received = io.BytesIO()
        smaller.save(received, "JPEG", qtables=table_like(rng.randint(60, 95), rng), subsampling=rng.choice((0, 2)))
        base = Image.open(received).convert("RGB")
        if rng.random() < 0.1:
            sent = io.BytesIO()
            base.save(sent, "WEBP", quality=rng.randint(60, 90))
            base = Image.open(sent).convert("RGB")
    day = rng.randint(400, 3000)
    taken_s = NOW - day * DAY + rng.randint(0, DAY)
    when = f"20{10 + day % 10:02d}:{1 + day % 12:02d}:{1 + day % 28:02d} {day % 24:02d}:{day % 60:02d}:17"
    has_record, full = rng.random() < 0.6, rng.random() < 0.7
    exif = record(rng, when, full, base.size) if has_record else None
    times = rng.choice(("kept", "kept", "kept", "lost", "reversed"))
    names = rng.choice(("speaking", "speaking", "numbers", "same"))
    stem = rng.choice(("IMG_{:04d}", "DSC{:05d}", "PXL_20210411_1030{:02d}", "scan{:03d}", "fête {:d}")).format(day)
    target = io.BytesIO()
    how = rng.random()
    # What also happens: a picture developed or scanned with a program, a record that was removed from the original
    # after the copy was made, a scan with a border that is cut off from the copy.
    oddity = rng.choice(
        ("", "", "", "", "", "", "", "", "", "", "developed", "stripped", "bordered", "poor", "renamed", "renamed")
    )
    if oddity == "developed" and exif is not None:
        exif[305] = rng.choice(EDITORS)
    border = round(min(base.size) * rng.uniform(0.04, 0.1)) if oddity == "bordered" else 0
    if border:
        base = ImageOps.expand(base, border, rng.choice(("white", "black", "#eeeae0")))
    given: dict[str, Any] = (
        {} if exif is None or (oddity == "stripped" and rng.random() < 0.5) else {"exif": exif.tobytes()}
    )
    if how < 0.06 and exif is None:
        base.save(target, "PNG")
        ending, encoder = ".png", "png"
    elif how < 0.5:
        quality = rng.randint(80, 99)
        base.save(target, "JPEG", qtables=table_like(quality, rng), subsampling=rng.choice((0, 1, 2)), **given)
        ending, encoder = ".jpg", "camera"
    else:
        least = 55 if oddity == "poor" else 78
        base.save(
            target,
            "JPEG",
            quality=rng.randint(least, 99),
            subsampling=rng.choice((0, 2)),
            progressive=rng.random() < 0.1,
            **given,
        )
        ending, encoder = ".jpg", "pillow"
    folders = rng.sample(("", "a", "zz/2019", "photos/2018/july", "backup", "m", "m/edit", "inbox", "DCIM/100CANON"), 5)
    root_time = taken_s if times == "kept" else NOW - rng.randint(1, 900) * DAY
    root_stem = (
        rng.choice(("Mamie", f"{stem} plage", f"{stem} (1)", f"{stem} - Copy", "2019 best"))
        if oddity == "renamed"
        else stem
    )
    files = [File(target.getvalue(), f"{folders[0]}/{root_stem}{ending}", root_time, "original", "original", encoder)]
    while len(files) < copies + 1:
        parent = min(int(edited), len(files) - 1) if rng.random() < of_original else rng.randrange(len(files))
        kind = rng.choice(sorted(kinds))
        family, edit = kinds[kind]
        encoder = rng.choices(ENCODERS, ENCODER_WEIGHTS)[0]
        with Image.open(io.BytesIO(files[parent].data)) as opened:
            before = opened.convert("RGB")
        if border and parent == 0 and rng.random() < 0.6:
            before = before.crop((border, border, before.width - border, before.height - border))
            kind, family, edit = "unbordered", "unbordered", KINDS["plain"][1]
        after = edit(before, rng)
        if kind == "plain" and encoder == "png":
            encoder = "pillow"
        kept = None
        keeping = rng.choice(("none", "none", "none", "same", "signed", "partly"))
        if exif is not None and keeping != "none":
            copy = Image.Exif()
            copy.load(exif.tobytes())
            if keeping == "signed":
                copy[305] = rng.choice(("Adobe Photoshop 24.1", "GIMP 2.10.30", "Snapseed", "Picasa"))
            if keeping == "partly":
                copy = Image.Exif()
                copy[306] = when
            kept = copy.tobytes()
        data, ending = encode(after, encoder, rng, kept)
        speaking = {"plain": (" - Copy", "(1)", " (2)", "~2", "_copie")}.get(
            family, ("-edited", f"_{kind}", "", "_small", "-1")
        )
        name = {
            "speaking": stem + rng.choice(speaking) + ending,
            "numbers": f"{rng.randrange(10**6)}{ending}",
            "same": stem + ending,
        }[names if rng.random() < 0.8 else "numbers"]
        later = files[parent].mtime_s + rng.randint(1, 300) * DAY * (rng.random() < 0.9)
        if times != "kept":
            later = NOW - rng.randint(1, 900) * DAY
        if times == "reversed" and rng.random() < 0.5:
            later = root_time
        files.append(File(data, f"{rng.choice(folders)}/{name}", later, kind, family, encoder, parent))
    return files


def compared(files: Sequence[File]) -> Case | None:
    """The case as the program sees it; None if the copies are not recognised as the same picture."""
    members, views, seen = [], [], []
    for file in files:
        try:
            facts = pictures.decode(file.data, LIMITS).facts
            members.append(Member(facts, trace_of(file.data, LIMITS), len(file.data)))
            view = np.frombuffer(pictures.preview(file.data, LIMITS), np.uint8)
            views.append(prepare(np.asarray(cv2.imdecode(view, cv2.IMREAD_COLOR_RGB), np.uint8)))
        except PictureError:
            return None
        seen.append(FileSeen(b"/" + file.path.encode(), int(file.mtime_s * 1e9), facts.taken))
    evidence: dict[tuple[int, int], dict[str, Any]] = {}
    for j in range(1, len(files)):
        best = None
        for hint in (Turn.NONE, *TURNS.get(files[j].kind, ())):
            judgement = judge(views[0], views[j], members[0].facts, members[j].facts, hint)
            if judgement.kind is not None and (best is None or judgement.confidence > best.confidence):
                best = judgement
        if best is not None and best.kind is Kind.NEAR:
            evidence[0, j] = dict(best.evidence)
    # As in a group whose reference is the original: how its members differ follows from how each differs from that.
    grouped = sorted(j for _, j in evidence)
    evidence |= {
        (i, j): composed(evidence[0, i], evidence[0, j], members[i].facts, members[j].facts)
        for i, j in combinations(grouped, 2)
    }
    if not evidence:
        return None
    families, kinds, encoders = ([getattr(file, name) for file in files] for name in ("family", "kind", "encoder"))
    return Case(families, kinds, encoders, members, seen, evidence, {})
