"""Forward authentication: the user whom a trusted proxy names in a header.

A proxy such as Caddy, nginx or Traefik asks an authentication service (Authelia, Authentik, oauth2-proxy) who sends a
request, and passes the name on in a header. The header is believed only from the addresses of `[web] auth_proxies`, and
from every other one it is removed.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from index.settings import Network, parse_network

LONGEST_NAME: Final = 200
NOT_IN_NAMES: Final = frozenset(",{}")


class ForwardAuth:
    """The header that is believed, and from where. Without a header, or without a proxy, it names no one."""

    def __init__(self, header: str = "", proxies: Sequence[str] = ()) -> None:
        """`proxies` are addresses and networks. Raises ValueError for one that is neither."""
        # WSGI has no other names for headers. The server drops those that contain an underscore themselves.
        self._key = f"HTTP_{header.upper().replace('-', '_')}" if header else ""
        self._networks: tuple[Network, ...] = tuple(map(parse_network, proxies))

    @property
    def believes_everyone(self) -> bool:
        """Whether a header from any address is believed."""
        return bool(self._key) and any(network.prefixlen == 0 for network in self._networks)

    def user(self, environ: Mapping[str, Any]) -> str:
        """The user whom a trusted proxy names, "" where it names none, or where anyone else names one.

        The address is that of the connection; no header can change it. Refused are a value with a comma, which may be
        two headers of which a client sent the first, and one with a brace: where the authentication service names no
        one, Caddy before 2.10 sends its own placeholder, `{http.reverse_proxy.header.Remote-User}`.
        """
        if not self._key or not self._is_trusted(environ.get("REMOTE_ADDR", "")):
            return ""
        name = _as_utf8(str(environ.get(self._key, ""))).strip()
        return name if len(name) <= LONGEST_NAME and name.isprintable() and not NOT_IN_NAMES & set(name) else ""

    def remove_untrusted(self, environ: dict[str, Any]) -> None:
        """Remove the header unless `user` believes it: nothing further on can take it for the name of a user."""
        if self._key and not self.user(environ):
            environ.pop(self._key, None)

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            # No address, so none that could have been named: a socket file, for example.
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            # An IPv4 client of a socket that listens on both.
            address = address.ipv4_mapped
        return any(address.version == network.version and address in network for network in self._networks)


def _as_utf8(value: str) -> str:
    """A header as its sender wrote it, where that was UTF-8; WSGI decodes every header as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
