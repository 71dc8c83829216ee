"""Fits the limits of index/imaging/verification/messages: python -m fitting.messages FOLDER [--pictures N] [--write]

Draws lock screens over the photographs of a folder, with a message and without it, and captions, labels and stickers,
each with separate noise. Limits are chosen on every other photograph, so that most messages are recognised and almost
no caption is treated as one, and judged on those between. With --write, message_limits.py is replaced.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from fitting.halves import chosen_and_judged, wanted_of
from fitting.places import ADDITIONS, grey
from index.imaging.verification import messages
from index.imaging.verification.graphics import FINE_FRAME
from samples.photographs import photographs
from samples.text_pages import PHONE, SENTENCES, design, lock_screen, words_of_lock_screen

Picture = Image.Image
LINES: Final = (0.01, 0.02, 0.03, 0.04, 0.05)
HEIGHTS: Final = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
NOISE: Final = (0.0, 1.5, 3.0)
LIMITS_FILE: Final = Path(messages.__file__).with_name("message_limits.py")
HEAD: Final = '''"""PURE: the limits that say that what was added is a message, and how many pairs pass with them.

Written by python -m fitting.messages.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair: its kind, whether a message was added, and of the panel that was the share of text and the height of
    its highest line."""

    kind: str
    is_message: bool
    text: tuple[float, float]


def with_message(photograph: Picture, rng: random.Random) -> tuple[Picture, Picture]:
    """A lock screen, and the same with one message more, of one line or with a title."""
    of, texts = design(rng, PHONE, photograph), words_of_lock_screen(rng)
    shown = rng.randint(2, len(texts) - 1)
    if rng.random() < 0.5:
        return lock_screen(of, texts[:shown]), lock_screen(of, texts[: shown + 1])
    before = lock_screen(of, texts[:2])
    after, height = before.copy(), rng.uniform(66, 84) * of.scale
    pen, top = ImageDraw.Draw(after, "RGBA"), rng.uniform(0.4, 0.8) * of.height
    paper, ink = rng.choice((((245, 245, 245, 230), "black"), ((30, 30, 34, 235), "white")))
    pen.rounded_rectangle((0.04 * of.width, top, 0.96 * of.width, top + height), 14 * of.scale, fill=paper)
    for text, at in ((texts[1], 0.3), (texts[2], 0.68)):
        pen.text((0.09 * of.width, top + at * height), text, fill=ink, font=of.font(14), anchor="lm")
    return before, after


def labelled(photograph: Picture, rng: random.Random) -> Picture:
    """A caption on a panel of its own size, as people write on pictures."""
    made = photograph.copy()
    pen, font = ImageDraw.Draw(made), ImageFont.load_default(made.height / rng.uniform(16, 28))
    text, at = " ".join(rng.choice(SENTENCES)[0].split()[:4]), (made.width / 2, made.height * rng.uniform(0.1, 0.9))
    left, top, right, bottom = pen.textbbox(at, text, font=font, anchor="mm")
    room = rng.uniform(0.3, 0.6) * (bottom - top)
    paper, ink = rng.choice((("white", "black"), ("black", "white"), ("#ffe600", "black"), ("#dd2233", "white")))
    pen.rounded_rectangle((left - room, top - room, right + room, bottom + room), room, fill=paper)
    pen.text(at, text, fill=ink, font=font, anchor="mm")
    return made


CAPTIONS: Final[dict[str, Callable[[Picture, random.Random], Picture]]] = {**ADDITIONS, "label": labelled}


def samples_of(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """Samples of all kinds, one of each photograph, as far as they add a panel with a background."""
    for number, photograph in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        yield from _measured("message", True, *with_message(photograph, rng), rng)
        for kind, add in CAPTIONS.items():
            yield from _measured(kind, False, photograph, add(photograph, rng), rng)


def _measured(kind: str, is_message: bool, before: Picture, after: Picture, rng: random.Random) -> Iterator[Sample]:
    sigma, pair = rng.choice(NOISE), []
    for picture in (after, before):
        small = picture.copy()
        small.thumbnail((FINE_FRAME, FINE_FRAME), Image.Resampling.LANCZOS)
        pair.append(grey(small, sigma, rng.randrange(2**31)))
    found = messages.panel(*pair)
    if found is not None and messages.is_panel(found, pair[0].shape[1]):
        yield Sample(kind, is_message, messages.text_of(found))


def fit(samples: Sequence[Sample]) -> tuple[float, float]:
    """The limits with the fewest mistakes, captions treated as messages first; among equal ones, the middle ones."""
    scores = {(lines, height): mistakes(samples, (lines, height)) for lines in LINES for height in HEIGHTS}
    best = sorted(limits for limits, made in scores.items() if made == min(scores.values()))
    return best[len(best) // 2]


def passes(sample: Sample, limits: tuple[float, float]) -> bool:
    """Whether a sample counts as a message."""
    return sample.text[0] >= limits[0] and sample.text[1] <= limits[1]


def mistakes(samples: Sequence[Sample], limits: tuple[float, float]) -> tuple[int, int]:
    """How many captions count as messages, and how many messages do not."""
    wrong = [sample.is_message for sample in samples if passes(sample, limits) != sample.is_message]
    return wrong.count(False), wrong.count(True)


def figures(samples: Sequence[Sample], limits: tuple[float, float]) -> dict[str, str]:
    """For each kind, how many of how many that add a panel count as messages."""
    of, counted = Counter(sample.kind for sample in samples), Counter[str]()
    for sample in samples:
        counted[sample.kind] += passes(sample, limits)
    return {kind: f"{counted[kind]} of {of[kind]}" for kind in sorted(of)}


def main() -> None:
    wanted = wanted_of(__doc__, 80)
    found = [picture for _, picture in islice(photographs(wanted.folder, FINE_FRAME, 4), wanted.pictures)]
    chosen_on, judged_on = chosen_and_judged(samples_of, found)
    limits = fit(chosen_on)
    report: dict[str, Any] = {"chosen_on": figures(chosen_on, limits), "judged_on": figures(judged_on, limits)}
    print(json.dumps(report, indent=1))
    print(limits, mistakes(chosen_on, limits), mistakes(judged_on, limits))
    if wanted.write:
        chosen = dict(zip(("min_lines", "max_height"), limits, strict=True))
        parts = (
            f"FIGURES: Final[dict[str, Any]] = {json.dumps(report, indent=4)}",
            f"FITTED: Final[dict[str, float]] = {json.dumps(chosen, indent=4)}",
        )
        LIMITS_FILE.write_text("\n\n".join((HEAD, *parts)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
