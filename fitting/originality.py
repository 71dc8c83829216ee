"""Fits the weights of index/imaging/originality:

    python -m fitting.originality FOLDER [--cases N] [--only NAME...] [--write]

Makes originals and copies from any folder of photographs (samples.copies), compares them as the program does, and fits
weights with whole families of edits and each encoder held out. Prints the reliability on what was held out; with
--write, weights.json is replaced.
"""

import argparse
import io
import json
import os
import pickle
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageOps
from scipy.optimize import minimize

from index.errors import PictureError
from index.imaging.decoding import pictures
from index.imaging.originality.composed import composed
from index.imaging.originality.file_signs import FileSeen, file_signs
from index.imaging.originality.model import AGAINST, CERTAIN, PROOFS, posterior, reliability
from index.imaging.originality.pair_evidence import Member, made_from
from index.imaging.originality.standing import complete
from index.imaging.originality.tracing import trace_of
from index.imaging.verification.edit_evidence import reversed_evidence
from index.imaging.verification.verify import judge, prepare
from index.model import Kind, Turn
from samples.copies import EDITORS, ENCODER_WEIGHTS, ENCODERS, KINDS, Edit, File, encode, record, table_like

LIMITS: Final = pictures.Limits()
DAY: Final = 86400
NOW: Final = 1_700_000_000
WEIGHTS: Final = Path(__file__).parents[1] / "index/imaging/originality/weights.json"
TURNS: Final = {"rotated": (Turn.ROTATE_90, Turn.ROTATE_180, Turn.ROTATE_270), "mirrored": (Turn.FLIP_HORIZONTAL,)}
EDGES: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)


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


def _one(task: tuple[str, int, int]) -> Case | None:
    cv2.setNumThreads(1)
    return compared(make_case(*task))


def build(folder: str, cases: int, seed: int, workers: int) -> list[Case]:
    rng = random.Random(seed)
    photos = sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    rng.shuffle(photos)
    tasks = [(photos[n % len(photos)], seed * 100_000 + n, rng.choice((1, 1, 1, 1, 2, 3, 4, 4))) for n in range(cases)]
    with ProcessPoolExecutor(workers) as pool:
        return [case for case in pool.map(_one, tasks, chunksize=4) if case is not None]


# Fitting


def features(names: Sequence[str], pair: Pair) -> tuple[list[float], list[float]]:
    way = [-1.0 if name in AGAINST else 1.0 for name in names]
    row = [w * (pair.forward.get(name, 0.0) - pair.backward.get(name, 0.0)) for w, name in zip(way, names, strict=True)]
    return row, [float(name in PROOFS) for name in names]


def odds_of(rows: Any, given: Any, proof: Any) -> Any:
    signs = np.clip(rows @ (given * (1 - proof)), -CERTAIN.most_of_signs, CERTAIN.most_of_signs)
    return np.clip(rows @ (given * proof) + signs, -CERTAIN.most_of_a_pair, CERTAIN.most_of_a_pair)


def fit(rows: Any, proof: Any, penalty: float, importance: Any, kept: Any = None) -> Any:
    """Weights of at least 0 that make the original the more likely one, with a penalty on large weights. `kept` are
    weights that stay as they are; NaN marks a weight to be fitted."""

    def loss(given: Any) -> tuple[float, Any]:
        raw = rows @ (given * (1 - proof))
        inside = np.abs(raw) < CERTAIN.most_of_signs
        total = rows @ (given * proof) + np.clip(raw, -CERTAIN.most_of_signs, CERTAIN.most_of_signs)
        share = importance / (1 + np.exp(np.clip(total, -30, 30)))
        slope = -(share[:, None] * rows * (proof + (1 - proof) * inside[:, None])).sum(axis=0)
        value = (importance * np.logaddexp(0, -total)).sum() + penalty * float(given @ given)
        return value, slope + 2 * penalty * given

    start = np.full(rows.shape[1], 0.3)
    bounds = [(0.0, 6.0)] * rows.shape[1]
    if kept is not None:
        start = np.where(np.isnan(kept), start, kept)
        bounds = [(0.0, 6.0) if np.isnan(weight) else (weight, weight) for weight in kept]
    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x


def table(cases: Sequence[Case], names: Sequence[str]) -> tuple[Any, list[tuple[int, int, int]], Any]:
    rows, where, importance = [], [], []
    for number, case in enumerate(cases):
        with_root = [pair for pair in case.pairs if pair[0] == 0]
        for pair in with_root:
            rows.append(features(names, case.pairs[pair])[0])
            where.append((number, *pair))
            # A border is put around a picture more often than it is cut off.
            rare = 0.05 if "unbordered" in case.kinds else 1.0
            importance.append(rare / len(with_root) ** 0.5)
    return np.array(rows), where, np.array(importance)


def root_posterior(case: Case, names: Sequence[str], given: Any, proof: Any) -> tuple[int, float]:
    """Which file is proposed, and how sure. Pairs that were not matched follow from those with the root's group."""
    n = len(case.kinds)
    odds = np.zeros((n, n))
    known = np.zeros((n, n), bool)
    for (i, j), pair in case.pairs.items():
        row = np.array(features(names, pair)[0])
        odds[i, j] = odds_of(row, given, proof)
        odds[j, i] = -odds[i, j]
        known[i, j] = known[j, i] = True
    present = [i for i in range(n) if known[i].any()]
    odds, known = odds[np.ix_(present, present)], known[np.ix_(present, present)]
    share = posterior(complete(odds, known))
    best = int(np.argmax(share))
    return present[best], float(share[best])


def held_out(cases: Sequence[Case], names: Sequence[str], penalty: float) -> list[tuple[int, float, Case]]:
    """The proposal for each case by weights that were fitted without the families and encoders of its copies."""
    proof = np.array([float(name in PROOFS) for name in names])
    rows, where, importance = table(cases, names)
    groups = [("families", family) for family in sorted({f for c in cases for f in c.families[1:]})]
    groups += [("encoders", encoder) for encoder in sorted({e for c in cases for e in c.encoders[1:]})]
    result = []
    for what, value in groups:
        out = np.array([getattr(cases[number], what)[j] == value for number, _, j in where])
        given = fit(rows[~out], proof, penalty, importance[~out])
        concerned = [case for case in cases if value in getattr(case, what)[1:]]
        result += [(*root_posterior(case, names, given, proof), case) for case in concerned]
    return result


def summary(results: Iterable[tuple[int, float, Case]]) -> dict[str, float]:
    results = list(results)
    sure = [(best, share) for best, share, _ in results if share >= CERTAIN.min_posterior]
    right = sum(best == 0 for best, _ in sure)
    return {
        "cases": len(results),
        "sure_and_right": round(right / max(1, len(results)), 4),
        "sure_and_wrong": round((len(sure) - right) / max(1, len(results)), 4),
        "first_right": round(sum(best == 0 for best, _, _ in results) / max(1, len(results)), 4),
    }


def refit(cases: Sequence[Case], only: Sequence[str], penalty: float, write: bool) -> None:
    """Fit the weights of new findings in addition to the shipped ones, and print them; the reliability stays that of
    the whole fit."""
    fields = json.loads(WEIGHTS.read_text("utf-8"))
    shipped = fields["weights"]
    names = sorted({*shipped, *only})
    proof = np.array([float(name in PROOFS) for name in names])
    rows, _, importance = table(cases, names)
    kept = np.array([np.nan if name in only else shipped[name] for name in names])
    given = fit(rows, proof, penalty, importance, kept)
    fields["weights"] = {name: round(float(weight), 3) for name, weight in zip(names, given, strict=True)}
    print({name: fields["weights"][name] for name in only})
    if write:
        WEIGHTS.write_text(json.dumps(fields, indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--cases", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--penalty", type=float, default=0.05)
    parser.add_argument("--cache", default="")
    parser.add_argument("--only", nargs="+", default=[], help="fit only these, and keep the weights of all others")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    cache = Path(wanted.cache) if wanted.cache else None
    if cache and cache.exists():
        cases = pickle.loads(cache.read_bytes())
    else:
        cases = build(wanted.folder, wanted.cases, wanted.seed, os.cpu_count() or 1)
        if cache:
            cache.write_bytes(pickle.dumps(cases))
    for case in cases:
        case.look()
    if wanted.only:
        refit(cases, wanted.only, wanted.penalty, wanted.write)
        return
    names = sorted({name for c in cases for p in c.pairs.values() for name in (*p.forward, *p.backward)})
    proof = np.array([float(name in PROOFS) for name in names])
    rows, _, importance = table(cases, names)
    given = fit(rows, proof, wanted.penalty, importance)
    counts = Counter(name for c in cases for (i, _), p in c.pairs.items() if i == 0 for name in p.forward)
    against = Counter(name for c in cases for (i, _), p in c.pairs.items() if i == 0 for name in p.backward)
    for name, weight in sorted(zip(names, given, strict=True), key=lambda entry: -entry[1]):
        kind = "proof" if name in PROOFS else "sign "
        print(f"{kind} {name:20s} {weight:6.2f}  forward {counts[name]:5d} backward {against[name]:5d}")
    seen = [(*root_posterior(case, names, given, proof), case) for case in cases]
    print("seen    ", summary(seen))
    unseen = held_out(cases, names, wanted.penalty)
    print("held out", summary(unseen))
    wrong: Counter[tuple[str, str, bool]] = Counter()
    total: Counter[str] = Counter()
    for best, share, case in unseen:
        label = case.kinds[1] if len(case.kinds) == 2 else "several"
        total[label] += 1
        wrong[label, "sure" if share >= CERTAIN.min_posterior else "tie", best == 0] += 1
    for label in sorted(total):
        right, mistaken = wrong[label, "sure", True], wrong[label, "sure", False]
        print(f"{label:18s} right {right:4d} wrong {mistaken:3d} of {total[label]}")
    of_reliability = reliability([share for _, share, _ in unseen], [best == 0 for best, _, _ in unseen], EDGES)
    for line in of_reliability:
        print(line)
    if wanted.write:
        shipped = json.loads(WEIGHTS.read_text("utf-8"))
        fields = shipped | {
            "about": "Written by python -m fitting.originality. Log-odds for the full strength of each proof and sign.",
            "cases": len(cases),
            "held_out": summary(unseen),
            "reliability": of_reliability,
            "weights": {name: round(float(weight), 3) for name, weight in zip(names, given, strict=True)},
        }
        WEIGHTS.write_text(json.dumps(fields, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
