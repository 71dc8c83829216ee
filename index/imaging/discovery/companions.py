"""PURE: finds the files that belong to an image next to them: sidecars, RAW files, films of a Live Photo.

One table (PATTERNS) says to which pictures a companion belongs, by its name. A sidecar with the whole name of a picture
and another ending (`a.jpg.xmp`) belongs to that picture. A file with only the stem (`a.xmp`, `a.cr2`, `a.mov`) belongs
to every image with that stem in the folder; a sidecar also to a RAW file or film with that stem. It stays as long as
any of them does.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from index.imaging.discovery.file_types import IMAGES, RAW

# From Adobe and darktable, Adobe's masks, Apple, RawTherapee and ART, DxO, ON1, Canon's recipes, Nikon, ExifTool, and
# the small picture that cameras put next to a film or RAW file.
SIDECARS: Final = frozenset(b"xmp acr aae pp3 arp dop on1 vrd dr4 nksc mie thm".split())
# What cameras and telephones record along with a still: films, and spoken notes.
FILMS: Final = frozenset(b"mov mp4 m4v wav".split())
# Those of the above that may also belong to a RAW file without an image.
NOTES: Final = frozenset({b"wav"})


class Bond(StrEnum):
    """`sidecar`: describes the picture. `raw` and `film`: pictures and sounds in their own right, which no sidecar can
    replace."""

    SIDECAR = "sidecar"
    RAW = "raw"
    FILM = "film"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of companion. `form` matches its whole name. `stems` and `names` are templates for the stem, or the whole
    name, of the pictures that it belongs to."""

    bond: Bond
    form: re.Pattern[bytes]
    stems: tuple[bytes, ...] = ()
    names: tuple[bytes, ...] = ()


def _one_of(endings: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(sorted(endings)) + b")"


def _form(form: bytes) -> re.Pattern[bytes]:
    return re.compile(form, re.IGNORECASE | re.DOTALL)


# Google Takeout writes `a.jpg.supplemental-metadata.json`, cut off after any letter if the name gets too long, and
# `a.jpg(1).json` for `a(1).jpg`.
TAKEOUT_WORD: Final = b".supplemental-metadata"
# The endings of sidecars that are read: those of Adobe and Takeout.
XMP_ENDING, TAKEOUT_ENDING = b".xmp", b".json"
# The number of letters that Takeout keeps before `.json`.
TAKEOUT_LETTERS: Final = 46
_WORD: Final = b"(" + b"".join(b"(?:" + bytes([letter]).replace(b".", rb"\.") for letter in TAKEOUT_WORD)
_WORD_AT_MOST: Final = _WORD + b")?" * len(TAKEOUT_WORD) + b")"
_PICTURE: Final = rb"\." + _one_of(IMAGES | RAW | FILMS | {b"mp"})

PATTERNS: Final = (
    Pattern(Bond.SIDECAR, _form(rb"(.+)\." + _one_of(SIDECARS)), stems=(rb"\1",), names=(rb"\1",)),
    # darktable's further versions: a_01.jpg.xmp.
    Pattern(Bond.SIDECAR, _form(rb"(.+)_\d\d(\.[^.]+)\.xmp"), names=(rb"\1\2",)),
    # The edits that Apple's Photos made to the picture IMG_E1234.
    Pattern(Bond.SIDECAR, _form(rb"(IMG_)O(\d+)\.aae"), stems=(rb"\1E\2",)),
    Pattern(Bond.SIDECAR, _form(rb"(.+" + _PICTURE + b")" + _WORD_AT_MOST + rb"\.json"), names=(rb"\1",)),
    Pattern(
        Bond.SIDECAR, _form(rb"(.+)(" + _PICTURE + b")" + _WORD_AT_MOST + rb"(\(\d+\))\.json"), names=(rb"\1\4\2",)
    ),
    Pattern(Bond.RAW, _form(rb"(.+)\." + _one_of(RAW)), stems=(rb"\1",)),
    Pattern(Bond.RAW, _form(rb"(PXL_.+)\.RAW-02\.ORIGINAL\.dng"), stems=(rb"\1.RAW-01.COVER", rb"\1.RAW-01.MP.COVER")),
    Pattern(Bond.FILM, _form(rb"(.+)\." + _one_of(FILMS)), stems=(rb"\1",)),
    # The film of PXL_1.MP.jpg, as Takeout writes it.
    Pattern(Bond.FILM, _form(rb"(PXL_.+\.MP[^.]*)"), stems=(rb"\1",)),
    # Canon's spoken note for IMG_1234.
    Pattern(Bond.FILM, _form(rb"SND_(\d+)\.wav"), stems=(rb"IMG_\1",)),
    # RawTherapee's edits of the picture that it wrote.
    Pattern(Bond.SIDECAR, _form(rb"(.+)\.out\.pp3"), names=(rb"\1",)),
)
_CUT_OFF: Final = _form(rb"(.+)()\.json")
_CUT_OFF_NUMBERED: Final = _form(rb"(.+)(\(\d+\))\.json")
# A picture with a number before the ending of its name.
_NUMBERED: Final = _form(rb"(.+)(\(\d+\))(\.[^.]+)")
# What Google Photos adds, in several languages, to the name of a picture that was edited there. Takeout writes no JSON
# for the edited picture; the JSON of the original describes both.
EDITED: Final = (
    *("edited", "effects", "smile", "mix", "bearbeitet", "bewerkt", "edytowane", "editat", "ha editado", "modificato"),
    *("modifi\u00e9", "modifie\u0301", "\u7de8\u96c6\u6e08\u307f"),
)
_EDITED: Final = _form(b"(.+)-" + _one_of(word.encode() for word in EDITED) + rb"(\(\d+\))?(\.[^.]+)")
# Every form ends with one of these, except that of a film in a Takeout, which ends with "mp" and any letters.
_ENDINGS: Final = SIDECARS | RAW | FILMS | {b"dng", b"json"}
_DARKTABLE: Final = PATTERNS[1].form
_WORD_OF_TAKEOUT: Final = ((PATTERNS[3].form, 2), (PATTERNS[4].form, 3))

# Neighbouring folders for the RAW files of a shoot, and for its other images.
RAW_FOLDERS: Final = frozenset(b"raw raws dng cr2 cr3 nef arw raf orf rw2".split())
IMAGE_FOLDERS: Final = frozenset(b"jpg jpeg jpegs jpgs heic".split())
PART_OF_SHOT: Final = re.compile(rb"\.RAW-0\d\.(COVER|ORIGINAL|MP)(\.COVER)?$", re.IGNORECASE)

# How a file system compares names: two names with the same result are one name.
Fold = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Companion:
    name: bytes
    bond: Bond


def exact(name: bytes) -> bytes:
    """Compare names byte by byte."""
    return name


def case_blind(name: bytes) -> bytes:
    """Ignore case in names, as on FAT, exFAT and many network shares."""
    return name.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def stem_of(name: bytes) -> bytes:
    """`a` of `a.jpg`, and `a.jpg` of `a.jpg.xmp`."""
    return name.rpartition(b".")[0] or name


@dataclass(frozen=True, slots=True)
class _Claims:
    """What the patterns say about a name: its bond, and the stems and whole names of the pictures it belongs to. If the
    name was cut off, `start` is how the name of its picture begins, without its `number`."""

    bond: Bond
    stems: frozenset[bytes]
    names: frozenset[bytes]
    start: bytes = b""
    number: bytes = b""
    of_takeout: bool = False

    def cover(self, picture: bytes, fold: Fold) -> bool:
        """Whether a picture is one of these or, for a JSON of Takeout, was edited from one of these."""
        return any(self._covers(name, fold) for name in (_names_of(picture) if self.of_takeout else (picture,)))

    def _covers(self, picture: bytes, fold: Fold) -> bool:
        folded = fold(picture)
        if fold(stem_of(picture)) in map(fold, self.stems) or folded in map(fold, self.names):
            return True
        if self.number and (match := _NUMBERED.fullmatch(folded)) and match[2] == self.number:
            folded = match[1] + match[3]
        elif self.number:
            return False
        return bool(self.start) and folded.startswith(fold(self.start))


@lru_cache(maxsize=4096)
def _claims(name: bytes) -> _Claims | None:
    """What the patterns say about a name, None if it is no companion's."""
    ending = _ending(name)
    if ending not in _ENDINGS and not ending.startswith(b"mp"):
        # A quick exit for most names: ten patterns cost ten times as much as everything else that a plan does with a
        # name.
        return None
    matching = [(pattern, match) for pattern in PATTERNS if (match := pattern.form.fullmatch(name))]
    if matching:
        stems = frozenset(match.expand(stem) for pattern, match in matching for stem in pattern.stems)
        names = frozenset(match.expand(owner) for pattern, match in matching for owner in pattern.names)
        return _Claims(matching[0][0].bond, stems, names, of_takeout=ending == b"json")
    for form in (_CUT_OFF, _CUT_OFF_NUMBERED):
        if (cut_off := form.fullmatch(name)) and len(cut_off[1].decode("utf-8", "surrogateescape")) == TAKEOUT_LETTERS:
            return _Claims(Bond.SIDECAR, frozenset(), frozenset(), cut_off[1], cut_off[2], of_takeout=True)
    return None


def _names_of(picture: bytes) -> tuple[bytes, ...]:
    """Its name, and that of the picture it was edited from."""
    edited = _EDITED.fullmatch(picture)
    return (picture,) if edited is None else (picture, edited[1] + (edited[2] or b"") + edited[3])


def is_edited_from(picture: bytes, original: bytes, fold: Fold = exact) -> bool:
    """Whether Google Photos made a picture from the other one, by their names."""
    return fold(original) in map(fold, _names_of(picture)[1:])


def bond_of(name: bytes) -> Bond | None:
    """How a file, by its name, may belong to an image next to it; None if it is no companion."""
    claims = _claims(name)
    return None if claims is None else claims.bond


def is_described_by(companion: bytes) -> bool:
    """Whether a sidecar is read for its description of the picture: XMP, and the JSON of Google Takeout."""
    return companion.lower().endswith((XMP_ENDING, TAKEOUT_ENDING))


def keys_of(name: bytes) -> set[bytes]:
    """The keys of a name, for finding related files: if one file belongs to another, they have a key in common, when
    both are folded as the file system compares names."""
    keys = set()
    for own in _names_of(name):
        keys.add(stem_of(own))
        numbered = _NUMBERED.fullmatch(own)
        for whole in (own, numbered[1] + numbered[3]) if numbered else (own,):
            letters = whole.decode("utf-8", "surrogateescape")
            if len(letters) > TAKEOUT_LETTERS:
                keys.add(letters[:TAKEOUT_LETTERS].encode("utf-8", "surrogateescape"))
    if (claims := _claims(name)) is not None:
        keys |= claims.stems | set(map(stem_of, claims.names)) | ({claims.start} if claims.start else set())
    return keys


def claims_picture(name: bytes) -> bool:
    """Whether a name has an ending of images, RAW files or films."""
    return _ending(name) in IMAGES or bond_of(name) in (Bond.RAW, Bond.FILM)


def belongs(companion: bytes, picture: bytes, fold: Fold = exact) -> bool:
    """Whether one file is a companion of another in the same folder. `picture` counts as an image unless its name is
    that of a companion."""
    claims = _claims(companion)
    kind = bond_of(picture)
    if claims is None or kind is Bond.SIDECAR or companion == picture:
        return False
    if claims.bond is not Bond.SIDECAR and kind is not None and not (kind is Bond.RAW and _ending(companion) in NOTES):
        return False
    return claims.cover(picture, fold)


def of_one_shot(raw: bytes, image: bytes) -> bool:
    """Whether a RAW file and an image, by their paths, come from one shot of a camera or telephone. They have the same
    stem, and are in one folder, or one is in a neighbouring folder for its kind (`RAW/IMG_1.CR2`, `JPG/IMG_1.JPG`)."""
    (raw_folder, _, raw_name), (folder, _, name) = raw.rpartition(b"/"), image.rpartition(b"/")
    if case_blind(_shot(raw_name)) != case_blind(_shot(name)):
        return False
    if raw_folder == folder:
        return True
    (raw_above, _, raw_last), (above, _, last) = raw_folder.rpartition(b"/"), folder.rpartition(b"/")
    own, others = raw_last.lower() in RAW_FOLDERS, last.lower() in IMAGE_FOLDERS
    return (own and raw_above == folder) or (others and above == raw_folder) or (own and others and raw_above == above)


def _shot(name: bytes) -> bytes:
    """The stem without what a telephone appends for its two files: `.RAW-01.COVER`, `.RAW-02.ORIGINAL`."""
    return PART_OF_SHOT.sub(b"", stem_of(name))


def companions_of(image: bytes, names: Collection[bytes], fold: Fold = exact) -> list[Companion]:
    """The files among `names` (those of one folder) that belong to an image, and the sidecars of its RAW files and
    films (`a.cr2.xmp`); sorted by name."""
    companions = {name for name in names if belongs(name, image, fold)}
    if not companions:
        return []
    pictures = [name for name in companions if bond_of(name) is not Bond.SIDECAR]
    companions |= {name for name in names if any(belongs(name, picture, fold) for picture in pictures)}
    return [Companion(name, bond) for name in sorted(companions) if (bond := bond_of(name)) is not None]


def owners_of(companion: bytes, pictures: Iterable[bytes], fold: Fold = exact) -> list[bytes]:
    """The pictures of a folder that a file belongs to, sorted by name. It stays as long as one of them does."""
    return sorted(picture for picture in pictures if picture != companion and belongs(companion, picture, fold))


def images_behind(companion: bytes, pictures: Collection[bytes], fold: Fold = exact) -> list[bytes]:
    """The images that a file belongs to, directly or through a RAW file or film; sorted by name."""
    images: set[bytes] = set()
    for owner in owners_of(companion, pictures, fold):
        if bond_of(owner) is None:
            images.add(owner)
        else:
            images |= set(owners_of(owner, pictures, fold))
    return sorted(images)


def would_be_companions(arriving: Collection[bytes], there: Iterable[bytes], fold: Fold = exact) -> bool:
    """Whether files arriving in a folder would be companions of pictures there, or files there companions of arriving
    pictures. An arriving file whose ending is not that of a companion counts as an image."""
    present = [name for name in there if claims_picture(name) or bond_of(name) is Bond.SIDECAR]
    return any(belongs(new, old, fold) or belongs(old, new, fold) for new in arriving for old in present)


def twin_of(companion: bytes, keeper: bytes, names: Collection[bytes]) -> bytes | None:
    """The corresponding companion of the image to keep: one with the same ending that belongs to it."""
    ending = _ending(companion)
    return next((name for name in sorted(names) if _ending(name) == ending and belongs(name, keeper)), None)


def renamed(companion: bytes, before: bytes, after: bytes) -> bytes:
    """The name of a companion after its image was renamed: `a.xmp` next to `a (2).jpg` becomes `a (2).xmp`. A name that
    is not that of a companion of `before` is returned unchanged."""
    if before == after:
        return companion
    if belongs(companion, before, case_blind):
        new = _renamed(companion, before, after)
        return new if belongs(new, after, case_blind) else companion
    # The sidecar of a RAW file or film: a.CR2.xmp.
    rest = companion[len(stem_of(before)) :]
    shares_stem = case_blind(companion).startswith(case_blind(stem_of(before)) + b".")
    return stem_of(after) + rest if shares_stem and rest.startswith(b".") else companion


def _renamed(companion: bytes, before: bytes, after: bytes) -> bytes:
    # The word after the name of the picture. A number after it is part of the picture's name, and the new name has its
    # own.
    for form, word in _WORD_OF_TAKEOUT:
        if match := form.fullmatch(companion):
            return after + match[word] + b".json"
    if companion[len(before) :].startswith(b".") and case_blind(companion).startswith(case_blind(before)):
        return after + companion[len(before) :]
    if (match := _DARKTABLE.fullmatch(companion)) and case_blind(match[1]) == case_blind(stem_of(before)):
        version = companion[len(match[1]) : len(match[1]) + 3]
        return stem_of(after) + version + after[len(stem_of(after)) :] + b".xmp"
    if (claims := _claims(companion)) is not None and claims.start:
        return after + TAKEOUT_WORD + b".json"
    if case_blind(companion) == case_blind(stem_of(before)):
        return stem_of(after)
    rest = companion[len(stem_of(before)) :]
    if case_blind(companion).startswith(case_blind(stem_of(before)) + b"."):
        return stem_of(after) + rest
    return stem_of(after) + companion[len(stem_of(companion)) :]


def _ending(name: bytes) -> bytes:
    return name.rpartition(b".")[2].lower() if b"." in name else b""
