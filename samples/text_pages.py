"""Screens and pages that differ in their text, and copies of one of them, as a person takes and keeps them.

    rng = random.Random(3)
    first, second = PAIRS["screen, one word"](rng)

A pair of PAIRS shows two texts, or one text set twice: it is never a copy. A pair of COPIES shows one rendering,
written again, reduced or enlarged.
"""

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops, ImageDraw, ImageFont

Picture = Image.Image
Pair = tuple[bytes, bytes]

# English and French, in turn. Only their length matters: they are as long as such words are.
LABELS: Final = (
    ("File", "Fichier"), ("Edit", "Modifier"), ("View", "Affichage"), ("Settings", "Réglages"),
    ("Search", "Rechercher"),
    ("Messages", "Messages"), ("Contacts", "Contacts"), ("Downloads", "Téléchargements"), ("Pictures", "Images"),
    ("Save", "Enregistrer"), ("Cancel", "Annuler"), ("Delete", "Supprimer"), ("Next", "Suivant"), ("Back", "Retour"),
    ("Account", "Compte"), ("Privacy", "Confidentialité"), ("Language", "Langue"), ("Network", "Réseau"),
    ("Storage", "Stockage"), ("Notifications", "Notifications"), ("About", "À propos"), ("Help", "Aide"),
    ("Users", "Utilisateurs"), ("Password", "Mot de passe"), ("Keyboard", "Clavier"), ("Sound", "Son"),
    ("Battery", "Batterie"), ("Updates", "Mises à jour"), ("Calendar", "Calendrier"), ("Yesterday", "Hier"),
)  # fmt: skip
SENTENCES: Final = (
    ("Allow the program to start with the computer", "Autoriser le démarrage avec l’ordinateur"),
    ("Show the names of the files under their pictures", "Afficher le nom des fichiers sous les images"),
    ("Your changes will be saved when you close this window", "Vos modifications seront enregistrées à la fermeture"),
    ("The last backup was made three days ago", "La dernière sauvegarde date d’il y a trois jours"),
    ("Only people in your list can send you messages", "Seules les personnes de votre liste peuvent vous écrire"),
    ("Ask for the password again after ten minutes", "Redemander le mot de passe après dix minutes"),
    ("There is not enough space on this disk for a copy", "L’espace libre du disque ne suffit pas pour une copie"),
    ("Send reports about problems to the developers", "Envoyer les rapports d’erreurs aux développeurs"),
    ("We were glad to hear that the journey went well", "Nous sommes heureux que le voyage se soit bien passé"),
    ("The meeting was moved to the second week of March", "La réunion est reportée à la deuxième semaine de mars"),
    ("Please bring the papers that we talked about", "Merci d’apporter les documents dont nous avons parlé"),
    ("The children learnt the song in a single afternoon", "Les enfants ont appris la chanson en un après-midi"),
    ("It rained all night, and in the morning the river rose", "Il a plu toute la nuit et la rivière est montée"),
    ("Nobody remembered who had painted the old door green", "Personne ne savait qui avait peint la porte en vert"),
)  # fmt: skip
# Of about one length, to stand for one another.
WORDS: Final = ("garden", "window", "letter", "bridge", "silver", "yellow", "summer", "winter", "Monday", "Friday")
THEMES: Final = (
    ("#ffffff", "#f0f1f4", "#202124", "#1a73e8"), ("#1e1f22", "#2b2d31", "#dcddde", "#5865f2"),
    ("#fafafa", "#e8e8e8", "#333333", "#2e7d32"), ("#fdf6e3", "#eee8d5", "#3c4a50", "#b58900"),
)  # fmt: skip
FOLDERS: Final = ("/usr/share/fonts/truetype", "/usr/share/fonts/TTF", "/Library/Fonts", "C:/Windows/Fonts")
FACES: Final = (
    "DejaVuSans", "DejaVuSerif", "LiberationSans-Regular", "LiberationSerif-Regular", "LiberationSansNarrow-Regular",
)  # fmt: skip


def faces() -> tuple[str, ...]:
    """The fonts of this machine that pages are set in; "" for the one that Pillow brings, which is always there."""
    found = {
        path.stem: str(path) for folder in FOLDERS if Path(folder).is_dir() for path in Path(folder).rglob("*.ttf")
    }
    return ("", *(found[name] for name in FACES if name in found))


@dataclass(frozen=True, slots=True)
class Design:
    """How a text is set: sizes are in pixels of the picture; `layout` is the seed of all but the text."""

    width: int
    height: int
    scale: int
    face: str
    theme: tuple[str, str, str, str]
    layout: int
    column: float = 0.86
    wallpaper: Picture | None = None

    def font(self, size: float) -> Any:
        pixels = round(size * self.scale)
        return ImageFont.truetype(self.face, pixels) if self.face else ImageFont.load_default(pixels)


def design(rng: random.Random, size: tuple[int, int], wallpaper: Picture | None = None) -> Design:
    """A design at the usual resolution of a screen or at twice that."""
    scale = rng.choice((1, 2))
    face = rng.choice(faces())
    width, height = size[0] * scale, size[1] * scale
    return Design(width, height, scale, face, rng.choice(THEMES), rng.randrange(2**31), wallpaper=wallpaper)


def screen(of: Design, texts: Sequence[str]) -> Picture:
    """A program: a bar with a menu, a list at the left, and lines with switches and buttons."""
    paper, panel, ink, accent = of.theme
    layout = random.Random(of.layout)
    side, bar = layout.uniform(0.16, 0.26) * of.width, 34 * of.scale
    size, step = layout.choice((12, 13, 14)), layout.choice((30, 36, 44)) * of.scale
    made = Image.new("RGB", (of.width, of.height), paper)
    pen, font, left = ImageDraw.Draw(made), of.font(size), iter(texts)
    pen.rectangle((0, 0, of.width, bar), fill=panel)
    pen.rectangle((0, bar, side, of.height), fill=panel)
    x = 14.0 * of.scale
    for _ in range(layout.randint(4, 6)):
        pen.text((x, bar / 2), text := next(left), fill=ink, font=font, anchor="lm")
        x += pen.textlength(text, font) + 20 * of.scale
    y: float = bar + step
    for number in range(layout.randint(6, 9)):
        if number == 2:
            pen.rectangle((0, y - step / 2, side, y + step / 2), fill=accent)
        pen.text((16 * of.scale, y), next(left), fill=ink, font=font, anchor="lm")
        y += step
    y = bar + 1.2 * step
    pen.text((side + 30 * of.scale, y), next(left), fill=ink, font=of.font(1.7 * size), anchor="lm")
    for text in left:
        y += 1.3 * step
        if y > of.height - 2 * step:
            break
        pen.text((side + 30 * of.scale, y), text, fill=ink, font=font, anchor="lm")
        knob = of.width - 70 * of.scale
        pen.rounded_rectangle((knob, y - 8 * of.scale, knob + 34 * of.scale, y + 8 * of.scale), 8 * of.scale, accent)
        pen.line((side + 30 * of.scale, y + step / 2, of.width - 30 * of.scale, y + step / 2), fill=panel)
    return made


def page(of: Design, texts: Sequence[str]) -> Picture:
    """A page of running text under a title, broken at the width of its column."""
    made = Image.new("RGB", (of.width, of.height), of.theme[0])
    pen, size = ImageDraw.Draw(made), random.Random(of.layout).choice((11, 12.5, 14, 16))
    font, left = of.font(size), of.width * (1 - 0.86) / 2
    pen.text((left, 50 * of.scale), texts[0], fill=of.theme[2], font=of.font(1.8 * size), anchor="lm")
    y, line = 95.0 * of.scale, ""
    for word in " ".join(texts[1:]).split():
        longer = f"{line} {word}".strip()
        if pen.textlength(longer, font) > of.column * of.width:
            pen.text((left, y), line, fill=of.theme[2], font=font)
            y, longer = y + 1.5 * size * of.scale, word
            if y > of.height - 60 * of.scale:
                break
        line = longer
    return made


def lock_screen(of: Design, texts: Sequence[str]) -> Picture:
    """A time and messages over a photograph."""
    assert of.wallpaper is not None
    made = of.wallpaper.convert("RGB").resize((of.width, of.height), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(made, "RGBA")
    pen.text((of.width / 2, 0.16 * of.height), texts[0], fill="white", font=of.font(64), anchor="mm")
    pen.text((of.width / 2, 0.23 * of.height), texts[1], fill="white", font=of.font(17), anchor="mm")
    y = 0.55 * of.height
    for text in texts[2:]:
        box = (0.05 * of.width, y, 0.95 * of.width, y + 56 * of.scale)
        pen.rounded_rectangle(box, 14 * of.scale, fill=(245, 245, 245, 215))
        pen.text((0.09 * of.width, y + 28 * of.scale), text, fill="#202020", font=of.font(13), anchor="lm")
        y += 66 * of.scale
    return made


Texts = list[str]
Set = Callable[[Design, Sequence[str]], Picture]


def words_of_screen(rng: random.Random, language: int) -> Texts:
    """Texts of a program: short ones first."""
    labels = [pair[language] for pair in rng.sample(LABELS, 17)]
    return [*labels, *(pair[language] for pair in rng.sample(SENTENCES, 12))]


def words_of_page(rng: random.Random, language: int) -> Texts:
    """A title and enough sentences to fill a page."""
    sentences = [f"{rng.choice(SENTENCES)[language]}." for _ in range(60)]
    return [rng.choice(SENTENCES)[language], *sentences]


def words_of_lock_screen(rng: random.Random) -> Texts:
    """A time, a day and some messages."""
    day = rng.choice(("Monday, 3 March", "Tuesday, 14 May", "Saturday, 9 August"))
    return [f"{rng.randint(10, 19)}:{rng.randint(10, 59)}", day, *(pair[0] for pair in rng.sample(SENTENCES, 3))]


def with_another_word(texts: Texts, rng: random.Random, among: slice) -> tuple[Texts, Texts]:
    """Twice the same texts, with another word of about one length at one place in each."""
    at = rng.choice(range(len(texts))[among])
    one, other = rng.sample(WORDS, 2)
    words = texts[at].split()
    spot = rng.randrange(len(words))
    both = []
    for word in (one, other):
        changed = list(texts)
        changed[at] = " ".join([*words[:spot], word, *words[spot + 1 :]])
        both.append(changed)
    return both[0], both[1]


def with_another_number(texts: Texts, rng: random.Random, among: slice) -> tuple[Texts, Texts]:
    """Twice the same texts, with another number at the end of one of them."""
    at, number = rng.choice(range(len(texts))[among]), rng.randint(10, 99)
    both = []
    for value in (number, (number + rng.randint(1, 80)) % 90 + 10):
        changed = list(texts)
        changed[at] = f"{texts[at]}: {value}"
        both.append(changed)
    return both[0], both[1]


def kept(picture: Picture, rng: random.Random) -> bytes:
    """A picture as it is kept: as a PNG, or as a JPEG as programs for messages write it."""
    if rng.random() < 0.5:
        return written(picture, "PNG")
    return written(picture, "JPEG", rng.randint(70, 95))


def written(picture: Picture, form: str, quality: int = 90) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **({} if form == "PNG" else {"quality": quality}))
    return target.getvalue()


def _both(set_in: Set, of: tuple[Design, Design], texts: tuple[Texts, Texts], rng: random.Random) -> Pair:
    return kept(set_in(of[0], texts[0]), rng), kept(set_in(of[1], texts[1]), rng)


# Levels that a JPEG of quality 70 hardly changes.
LEAST_SEEN: Final = 100
SCREENS: Final = ((1280, 800), (1440, 900), (390, 844), (1024, 768))
PAPER: Final = (620, 877)
PHONE: Final = (390, 844)


def _screens(rng: random.Random) -> tuple[Design, int]:
    return design(rng, rng.choice(SCREENS)), rng.randrange(2**31)


def screen_in_two_languages(rng: random.Random) -> Pair:
    of, words = _screens(rng)
    texts = words_of_screen(random.Random(words), 0), words_of_screen(random.Random(words), 1)
    return _both(screen, (of, of), texts, rng)


def screen_with_another_word(rng: random.Random) -> Pair:
    of, words = _screens(rng)
    return _both(screen, (of, of), with_another_word(words_of_screen(random.Random(words), 0), rng, slice(4, 20)), rng)


def screen_with_another_number(rng: random.Random) -> Pair:
    of, words = _screens(rng)
    texts = with_another_number(words_of_screen(random.Random(words), 0), rng, slice(4, 20))
    return _both(screen, (of, of), texts, rng)


def page_with_another_word(rng: random.Random) -> Pair:
    of = design(rng, PAPER)
    return _both(page, (of, of), with_another_word(words_of_page(rng, rng.randrange(2)), rng, slice(1, 12)), rng)


def page_in_two_languages(rng: random.Random) -> Pair:
    of, words = design(rng, PAPER), rng.randrange(2**31)
    texts = words_of_page(random.Random(words), 0), words_of_page(random.Random(words), 1)
    return _both(page, (of, of), texts, rng)


def page_in_two_fonts(rng: random.Random) -> Pair:
    of, texts = design(rng, PAPER), words_of_page(rng, rng.randrange(2))
    other = rng.choice([face for face in faces() if face != of.face] or [of.face])
    # Where there is but one font, another width of the column.
    column = of.column if other != of.face else 0.8
    return _both(page, (of, replace(of, face=other, column=column)), (texts, texts), rng)


def page_broken_otherwise(rng: random.Random) -> Pair:
    of, texts = design(rng, PAPER), words_of_page(rng, rng.randrange(2))
    return _both(page, (of, replace(of, column=rng.uniform(0.78, 0.84))), (texts, texts), rng)


def lock_screens(wallpaper: Picture) -> Callable[[random.Random], Pair]:
    """Pairs of lock screens over one photograph: at another time, or with another word in a message."""

    def make(rng: random.Random) -> Pair:
        of, texts = design(rng, PHONE, wallpaper), words_of_lock_screen(rng)
        if rng.random() < 0.5:
            return _both(lock_screen, (of, of), with_another_word(texts, rng, slice(2, 5)), rng)
        return _both(lock_screen, (of, of), (texts, [words_of_lock_screen(rng)[0], *texts[1:]]), rng)

    return make


def that_differ(make: Callable[[random.Random], Pair]) -> Callable[[random.Random], Pair]:
    """Pairs of which the text that differs can be seen: it may lie beyond the edge, or under another."""

    def again_and_again(rng: random.Random) -> Pair:
        while True:
            pair = make(rng)
            one, other = (Image.open(io.BytesIO(data)).convert("L") for data in pair)
            if one.size != other.size:
                return pair
            most: Any = ImageChops.difference(one, other).getextrema()[1]
            if most > LEAST_SEEN:
                return pair

    return again_and_again


PAIRS: Final[dict[str, Callable[[random.Random], Pair]]] = {
    "screen, two languages": screen_in_two_languages,
    "screen, one word": that_differ(screen_with_another_word),
    "screen, one number": that_differ(screen_with_another_number),
    "page, two languages": page_in_two_languages,
    "page, two fonts": page_in_two_fonts,
    "page, other line breaks": page_broken_otherwise,
    "page, one word": that_differ(page_with_another_word),
}


def rendered(rng: random.Random) -> Picture:
    """A screen or a page."""
    if rng.random() < 0.6:
        of, words = _screens(rng)
        return screen(of, words_of_screen(random.Random(words), rng.randrange(2)))
    return page(design(rng, PAPER), words_of_page(rng, rng.randrange(2)))


def again(alter: Callable[[Picture, random.Random], bytes]) -> Callable[[random.Random], Pair]:
    """Pairs of a rendering as it is and altered."""

    def make(rng: random.Random) -> Pair:
        picture = rendered(rng)
        return kept(picture, rng), alter(picture, rng)

    return make


def resized(picture: Picture, factor: float, rng: random.Random) -> Picture:
    size = round(picture.width * factor), round(picture.height * factor)
    return picture.resize(size, rng.choice((Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX)))


COPIES: Final[dict[str, Callable[[random.Random], Pair]]] = {
    "JPEG 80 to 95": again(lambda picture, rng: written(picture, "JPEG", rng.randint(80, 95))),
    "JPEG 40 to 70": again(lambda picture, rng: written(picture, "JPEG", rng.randint(40, 70))),
    "WebP 60 to 90": again(lambda picture, rng: written(picture, "WEBP", rng.randint(60, 90))),
    "reduced": again(lambda picture, rng: kept(resized(picture, rng.uniform(0.6, 0.9), rng), rng)),
    "half the size": again(lambda picture, rng: kept(resized(picture, 0.5, rng), rng)),
    "enlarged": again(lambda picture, rng: kept(resized(picture, rng.uniform(1.2, 2.0), rng), rng)),
}  # fmt: skip
