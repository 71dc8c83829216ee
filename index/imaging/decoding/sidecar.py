"""PURE: writes a new XMP sidecar, or adds properties to an existing one.

Text is only inserted into an existing sidecar, so that everything else stays as its program wrote it, byte for byte.
The result is parsed again before it is used.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from index.imaging.decoding.description import merged_descriptions
from index.imaging.decoding.xmp_places import Ambiguous, attribute_in, places_in
from index.imaging.decoding.xmp_properties import (
    LOCATION,
    NAMES,
    PADDING,
    encoding_of,
    full_name,
    list_of,
    one_line,
    read_xmp,
    text_of,
    tree_of,
    value_of,
)
from index.model import Description

WRITTEN: Final = ("xmp", "exif", "dc", "photoshop", "Iptc4xmpCore", "lr", "digiKam")
# The properties in which a value is written.
SINGLE: Final = {
    "taken": ("exif:DateTimeOriginal",), "place": ("exif:GPSLatitude", "exif:GPSLongitude"), "location": LOCATION,
    "rating": ("xmp:Rating",), "label": ("xmp:Label",), "title": ("dc:title",), "caption": ("dc:description",),
}  # fmt: skip


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
    """A sidecar with this description added; what it says itself stays, even where that is not understood. Raises
    Unreadable if nothing can be added, or if the result would not keep all that the sidecar said before."""
    root = tree_of(sidecar)
    try:
        text = sidecar.decode(encoding_of(sidecar), "strict") if text_of(sidecar) else ""
    except UnicodeDecodeError as error:
        # Reading it is lenient, but what is written again must be the same text.
        raise Unreadable from error
    if root is None:
        raise Unreadable
    said = read_xmp(sidecar)
    packet = text.strip(PADDING)
    before, _, behind = text.partition(packet)
    try:
        edit = _Edit(packet.encode(), root)
    except Ambiguous as error:
        raise Unreadable from error
    lists = edit.lists(said, more, known)
    single = edit.lacking(said, more)
    about = next((node.get(full_name("rdf:about"), "") for node in root.iter(full_name("rdf:Description"))), "")
    edited = edit.with_block(_block(single, about, lists)).decode()
    made = (before + edited + behind).encode(encoding_of(sidecar))
    _check(read_xmp(made), said, replace(single, keywords=more.keywords, hierarchies=more.hierarchies))
    return made


def _check(now: Description, said: Description, more: Description) -> None:
    """Raises Unreadable if something was lost, or not added."""
    whole = merged_descriptions(said, more)
    same = all(
        getattr(now, name) == getattr(whole, name)
        for name in ("taken", "rating", "label", "title", "caption", "location")
    )
    if not same or (now.place is None) != (whole.place is None):
        raise Unreadable
    if not {*whole.keywords} <= {*now.keywords} or not {*whole.hierarchies} <= {*now.hierarchies}:
        raise Unreadable


class _Edit:
    """Changes to a packet in UTF-8, as texts that take the place of parts of it."""

    def __init__(self, packet: bytes, root: ElementTree.Element) -> None:
        self._packet = packet
        self._root = root
        self._places = places_in(packet)
        self._changes: list[tuple[int, int, bytes]] = []

    def lists(self, said: Description, more: Description, known: Description) -> dict[str, list[str]]:
        """Add keywords to the lists that are there. Returns the lists that are not, with all their entries, since
        readers take the first list that they find."""
        words = more.keywords and (*known.keywords, *more.keywords)
        paths = more.hierarchies and (*known.hierarchies, *more.hierarchies)
        whole = merged_descriptions(said, Description(keywords=words or (), hierarchies=paths or ()))
        wanted = {
            "dc:subject": whole.keywords if words else (),
            "lr:hierarchicalSubject": _paths(whole) if words or paths else (),
            "digiKam:TagsList": [path.replace("|", "/") for path in _paths(whole)] if words or paths else (),
        }
        if not said.hierarchies and not paths and not self._has_list("lr:hierarchicalSubject", "digiKam:TagsList"):
            del wanted["lr:hierarchicalSubject"], wanted["digiKam:TagsList"]
        return {name: list(entries) for name, entries in wanted.items() if entries and not self._added(name, entries)}

    def _has_list(self, *names: str) -> bool:
        return any(list_of(self._root, name) for name in names)

    def _added(self, name: str, entries: Sequence[str]) -> bool:
        """Whether a property has a list, to which the entries were added. Raises Unreadable if it is no list."""
        there = self._places.properties.get(full_name(name), [])
        if len(there) > 1 or value_of(self._root, name) != "".join(list_of(self._root, name)[:1]).strip():
            raise Unreadable
        if not there or there[0].list_end is None:
            self._remove(name)
            return False
        prefix, end = there[0].prefix, there[0].list_end
        space = self._packet[len(self._packet[:end].rstrip()) : end]
        present = {one_line(entry) for entry in list_of(self._root, name)}
        added = (entry for entry in dict.fromkeys(map(one_line, entries)) if entry and entry not in present)
        pieces = (b"%b<%bli>%b</%bli>" % (space, prefix, escape(entry).encode(), prefix) for entry in added)
        self._changes.append((end - len(space), end - len(space), b"".join(pieces)))
        return True

    def lacking(self, said: Description, more: Description) -> Description:
        """The single values that the packet lacks. What is there without saying anything (`xmp:Rating="0"`) makes room;
        what is there and not understood, or says that a picture is rejected (-1), stays."""
        found: dict[str, Any] = {}
        for name, properties in SINGLE.items():
            if not getattr(more, name) or (name == "location" and (not any(more.location) or any(said.location))):
                continue
            if name != "location" and getattr(said, name):
                continue
            values = [value_of(self._root, each) for each in properties]
            if any(value not in ("", "0") or (value == "0" and name != "rating") for value in values):
                continue
            for each in properties:
                self._remove(each)
            found[name] = getattr(more, name)
        if "taken" in found:
            found["zone"] = more.zone
        return Description(**found)

    def _remove(self, name: str) -> None:
        for there in self._places.properties.get(full_name(name), []):
            self._changes.append((there.start, there.end, b""))
        self._changes += [(*span, b"") for span in attribute_in(self._packet, self._places, name)]

    def with_block(self, block: str) -> bytes:
        """The packet with all changes, and a description added after the last one."""
        # The packet may have another prefix for rdf.
        block = block.replace("<rdf:Description ", f'<rdf:Description xmlns:rdf="{NAMES["rdf"]}" ', 1)
        packet = self._packet
        indent = len(packet[: self._places.end].rstrip(b" \t"))
        for start, end, new in sorted([*self._changes, (indent, indent, block.encode())], reverse=True):
            packet = packet[:start] + new + packet[end:]
        return packet


def _paths(said: Description) -> list[str]:
    """Keywords as paths: those with others above them, and the others alone. Programs that find a list of paths do not
    look at the plain keywords."""
    parts = {part for path in said.hierarchies for part in path.split("|")}
    return [*said.hierarchies, *(word for word in said.keywords if word not in parts)]


def _entry(entry: str) -> str:
    return f"<rdf:li>{escape(one_line(entry))}</rdf:li>"


def _block(said: Description, about: str, lists: dict[str, list[str]] | None = None) -> str:
    """An rdf:Description with this description, "" if it is empty. `lists` replaces its own keywords and
    hierarchies."""
    if lists is None:
        paths = _paths(said) if said.hierarchies else []
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
