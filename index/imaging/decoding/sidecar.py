"""PURE: writes a new XMP sidecar, or adds properties to an existing one.

Text is only inserted into an existing sidecar, so that everything else stays as its program wrote it, byte for byte.
The result is parsed again before it is used.
"""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from index.imaging.decoding.description import merged_descriptions
from index.imaging.decoding.xmp_properties import (
    LOCATION,
    NAMES,
    encoding_of,
    full_name,
    list_of,
    one_line,
    read_xmp,
    text_of,
    tree_of,
)
from index.model import Description

WRITTEN: Final = ("xmp", "exif", "dc", "photoshop", "Iptc4xmpCore", "lr", "digiKam")
_END: Final = re.compile(r"</([\w.-]+):RDF\s*>")


class Unreadable(Exception):
    """Nothing can be added to the sidecar."""


def new_sidecar(more: Description, known: Description) -> bytes:
    """A sidecar with this description. It has the known keywords as well, since readers replace the whole list."""
    whole = merged_descriptions(more, Description(keywords=known.keywords if more.keywords else (),
                                     hierarchies=known.hierarchies if more.hierarchies else ()))  # fmt: skip
    return (
        '<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="{NAMES["x"]}" x:xmptk="ComparImg">\n'
        f' <rdf:RDF xmlns:rdf="{NAMES["rdf"]}">\n{_block(whole, "")} </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
    ).encode()


def with_more(sidecar: bytes, more: Description, known: Description) -> bytes:
    """A sidecar with this description added. Raises Unreadable if that is impossible, or if the result would not keep
    all that the sidecar said before."""
    root = tree_of(sidecar)
    text = sidecar.decode(encoding_of(sidecar), "strict") if text_of(sidecar) else ""
    ends = list(_END.finditer(text))
    if root is None or len(ends) != 1:
        raise Unreadable
    said = read_xmp(sidecar)
    added = {
        "dc:subject": _beyond(said.keywords, more.keywords and (*known.keywords, *more.keywords)),
        "lr:hierarchicalSubject": _beyond(
            said.hierarchies, more.hierarchies and (*known.hierarchies, *more.hierarchies)
        ),
    }
    added["digiKam:TagsList"] = [path.replace("|", "/") for path in added["lr:hierarchicalSubject"]]
    lists: dict[str, list[str]] = {}
    for name, entries in added.items():
        if entries and root.find(f".//{full_name(name)}") is not None:
            text = _with_entries(text, name, [entry for entry in entries if entry not in list_of(root, name)])
        else:
            lists[name] = entries
    about = next((node.get(full_name("rdf:about"), "") for node in root.iter(full_name("rdf:Description"))), "")
    single = Description(
        **{
            name: getattr(more, name)
            for name in ("taken", "zone", "place", "location", "rating", "label", "title", "caption")
            if not getattr(said, name) or (name == "location" and not any(said.location))
        }
    )
    block = _block(single, about, lists)
    if block:
        end = list(_END.finditer(text))[-1]
        if end[1] != "rdf":
            raise Unreadable
        text = text[: end.start()] + block + text[end.start() :]
    made = text.encode(encoding_of(sidecar))
    now = read_xmp(made)
    whole = merged_descriptions(said, more)
    same = all(getattr(now, name) == getattr(whole, name) for name in ("rating", "label", "title", "location"))
    if not same or not {*whole.keywords} <= {*now.keywords} or not {*whole.hierarchies} <= {*now.hierarchies}:
        raise Unreadable
    return made


def _beyond(said: tuple[str, ...], entries: tuple[str, ...]) -> list[str]:
    return [entry for entry in dict.fromkeys(map(one_line, entries)) if entry and entry not in said]


def _with_entries(text: str, name: str, entries: list[str]) -> str:
    """Add entries at the end of an existing list. Raises Unreadable if the list is not written in the usual form."""
    form = re.compile(rf"<{name}(?:\s[^>]*[^/>])?>\s*<rdf:(Bag|Seq)>(?:(?!</{name}).)*?(\s*)</rdf:\1>", re.DOTALL)
    found = list(form.finditer(text))
    if len(found) != 1:
        raise Unreadable
    at = found[0].start(2)
    return text[:at] + "".join(f"{found[0][2] or ''}{_entry(entry)}" for entry in entries) + text[at:]


def _entry(entry: str) -> str:
    return f"<rdf:li>{escape(one_line(entry))}</rdf:li>"


def _block(said: Description, about: str, lists: dict[str, list[str]] | None = None) -> str:
    """An rdf:Description with this description, "" if it is empty. `lists` replaces its own keywords and
    hierarchies."""
    if lists is None:
        paths = list(said.hierarchies)
        lists = {"dc:subject": list(said.keywords), "lr:hierarchicalSubject": paths,
                 "digiKam:TagsList": [path.replace("|", "/") for path in paths]}  # fmt: skip
    lines = []
    if said.taken:
        lines.append(f"<exif:DateTimeOriginal>{escape(said.taken + said.zone)}</exif:DateTimeOriginal>")
    if said.place is not None:
        north, east = said.place
        lines.append(f"<exif:GPSLatitude>{_degrees(north, 'NS')}</exif:GPSLatitude>")
        lines.append(f"<exif:GPSLongitude>{_degrees(east, 'EW')}</exif:GPSLongitude>")
    for name, value in (("xmp:Rating", said.rating or ""), ("xmp:Label", said.label),
                        *zip(LOCATION, said.location, strict=True)):  # fmt: skip
        if value:
            lines.append(f"<{name}>{escape(str(value))}</{name}>")
    for name, value in (("dc:title", said.title), ("dc:description", said.caption)):
        if value:
            lines.append(f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(value)}</rdf:li></rdf:Alt></{name}>')
    for name, entries in lists.items():
        kind = "Seq" if name == "digiKam:TagsList" else "Bag"
        if entries:
            lines.append(f"<{name}><rdf:{kind}>{''.join(map(_entry, entries))}</rdf:{kind}></{name}>")
    if not lines:
        return ""
    spaces = " ".join(f'xmlns:{name}="{NAMES[name]}"' for name in WRITTEN)
    body = "".join(f"   {line}\n" for line in lines)
    return f"  <rdf:Description rdf:about={quoteattr(about)} {spaces}>\n{body}  </rdf:Description>\n"


def _degrees(value: float, letters: str) -> str:
    """Coordinates in the form of XMP: whole degrees, minutes with a fraction, the letter of the hemisphere."""
    minutes = round(abs(value) * 60, 6)
    return f"{int(minutes // 60)},{minutes % 60:.6f}{letters[value < 0]}"
