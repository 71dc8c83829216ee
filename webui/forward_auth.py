"""Forward authentication: the user that a trusted proxy names in a header.

A proxy such as Caddy, nginx or Traefik asks an authentication service (Authelia, Authentik, oauth2-proxy) who sends a
request, and passes the name on in a header. The header is trusted only from the addresses of `[web] auth_proxies`. From
any other address it is removed.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from index.settings import Network, parse_network

LONGEST_NAME: Final = 200
NOT_IN_NAMES: Final = frozenset(",{}")


class ForwardAuth:
    """The header that is trusted, and the addresses it is trusted from. Without a header or a proxy, no user is
    named."""

    def __init__(self, header: str = "", proxies: Sequence[str] = ()) -> None:
        """`proxies` are addresses and networks. Raises ValueError for a text that is neither."""
        # This is WSGI's only name for the header. The server drops headers whose names contain an underscore.
        self._key = f"HTTP_{header.upper().replace('-', '_')}" if header else ""
        self._networks: tuple[Network, ...] = tuple(map(parse_network, proxies))

    @property
    def believes_everyone(self) -> bool:
        """Whether a header from any address is trusted."""
        return bool(self._key) and any(network.prefixlen == 0 for network in self._networks)

    def user(self, environ: Mapping[str, Any]) -> str:
        """The user that a trusted proxy names. "" if it names none, or if the name comes from elsewhere.

        The address is that of the connection, which no header can change. A value with a comma is refused: it may be
        two headers, the first of them sent by a client. A value with a brace is refused, too: if the authentication
        service names no user, Caddy before 2.10 sends its own placeholder, `{http.reverse_proxy.header.Remote-User}`.
        """
        if not self._key or not self._is_trusted(environ.get("REMOTE_ADDR", "")):
            return ""
        name = _as_utf8(str(environ.get(self._key, ""))).strip()
        return name if len(name) <= LONGEST_NAME and name.isprintable() and not NOT_IN_NAMES & set(name) else ""

    def remove_untrusted(self, environ: dict[str, Any]) -> None:
        """Remove the header unless `user` trusts it, so that nothing later takes it for the name of a user."""
        if self._key and not self.user(environ):
            environ.pop(self._key, None)

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            # It has no address, as with a Unix socket, so it cannot be one of the proxies.
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            # An IPv4 client of a socket that listens on both.
            address = address.ipv4_mapped
        return any(address.version == network.version and address in network for network in self._networks)


def _as_utf8(value: str) -> str:
    """A header as its sender wrote it, if that was UTF-8. WSGI decodes every header as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
