"""PURE: finds the properties of a picture in the text of an XMP packet, so that a few of them can be changed.

The positions come from the parser: comments, CDATA, unusual prefixes and empty elements are no traps.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from index.imaging.decoding.xmp_properties import full_name

CONTAINERS: Final = frozenset(map(full_name, ("rdf:Bag", "rdf:Seq", "rdf:Alt")))
_TAG: Final = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*+>""")


class Ambiguous(Exception):
    """The packet has an unusual form in which a property cannot be found for certain."""


@dataclass(slots=True)
class Property:
    """The bytes of an element from `start` to `end`. `list_end` is where the end tag of its list begins; None without a
    list, or if that has no end tag of its own. `prefix` is that of the list, with its colon."""

    start: int
    end: int = 0
    list_end: int | None = None
    prefix: bytes = b""


@dataclass(slots=True)
class Places:
    """The properties of the picture by full name, the start tags of the descriptions that they are in, the start of the
    end tag after the last description, and the prefixes of each name space."""

    properties: dict[str, list[Property]] = field(default_factory=lambda: defaultdict(list))
    heads: list[tuple[int, int]] = field(default_factory=list)
    end: int = -1
    prefixes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def places_in(packet: bytes) -> Places:
    """The places in a packet in UTF-8 that can be parsed and is within the limits. Raises Ambiguous."""
    found = _Finder(packet).places
    spaces = [prefix for prefixes in found.prefixes.values() for prefix in prefixes]
    if found.end < 0 or len(spaces) != len(set(spaces)):
        raise Ambiguous
    return found


def attribute_in(packet: bytes, places: Places, name: str) -> list[tuple[int, int]]:
    """Where a property is written as an attribute, with the white space before it."""
    space, _, local = full_name(name)[1:].partition("}")
    prefixes = "|".join(map(re.escape, sorted(places.prefixes.get(space, ()))))
    if not prefixes:
        return []
    form = re.compile(rf"""\s+(?:{prefixes}):{local}\s*=\s*(?:"[^"]*"|'[^']*')""".encode())
    return [match.span() for start, end in places.heads for match in form.finditer(packet, start, end)]


class _Finder:
    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self.places = Places()
        # The names of the elements that are open, and where their start tags begin and end.
        self._open: list[tuple[str, int, int]] = []
        self._parser = expat.ParserCreate("utf-8", "}")
        self._parser.StartNamespaceDeclHandler = self._declared
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended
        try:
            self._parser.Parse(packet, True)
        except expat.ExpatError as error:
            raise Ambiguous from error

    def _declared(self, prefix: str | None, space: str) -> None:
        self.places.prefixes[space].add(prefix or "")

    def _started(self, name: str, _: Any) -> None:
        start = self._parser.CurrentByteIndex
        tag = _TAG.match(self._packet, start)
        if tag is None:
            raise Ambiguous
        name = f"{{{name}" if "}" in name else name
        depth = self._depth()
        if depth == 0 and name == full_name("rdf:Description"):
            self.places.heads.append(tag.span())
        elif depth == 1:
            self.places.properties[name].append(Property(start))
        elif depth == 2 and name in CONTAINERS and not tag[0].endswith(b"/>"):
            prefix, colon, _ = tag[0][1:].partition(b":")
            self.places.properties[self._open[-1][0]][-1].prefix = prefix + colon
        self._open.append((name, *tag.span()))

    def _ended(self, _: str) -> None:
        name, _start, tag_end = self._open.pop()
        is_empty = self._packet[tag_end - 2 : tag_end] == b"/>"
        at = self._parser.CurrentByteIndex
        end = tag_end if is_empty else self._packet.index(b">", at) + 1
        depth = self._depth()
        if depth == 1:
            self.places.properties[name][-1].end = end
        elif depth == 2 and name in CONTAINERS and not is_empty:
            self.places.properties[self._open[-1][0]][-1].list_end = at
        elif name == full_name("rdf:RDF") and not is_empty:
            if self.places.end >= 0:
                raise Ambiguous
            self.places.end = at

    def _depth(self) -> int:
        """0 directly in rdf:RDF, 1 in a description there, 2 in a property of that; -1 elsewhere."""
        names = [name for name, _, _ in self._open]
        for depth in (0, 1, 2):
            if len(names) > depth and names[-1 - depth] == full_name("rdf:RDF"):
                is_known = depth == 0 or names[-depth] == full_name("rdf:Description")
                return depth if is_known and full_name("rdf:RDF") not in names[: -1 - depth] else -1
        return -1
