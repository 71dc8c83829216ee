"""The one file that another machine needs to join: the address of the service, and the certificates of both."""

import socket
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from daemon.version import VERSION
from index.errors import UsageError
from index.messages import of_os_error

FORMAT: Final = 1
MOST_BYTES: Final = 2**16
# Addresses reserved for documentation. The system is asked from which of its own it would send there; nothing is sent.
ELSEWHERE: Final = (("192.0.2.1", 9), ("2001:db8::1", 9))

Text = Annotated[str, Meta(max_length=20_000)]


class Invitation(msgspec.Struct, frozen=True):
    """`authority`, `certificate` and `key` are in PEM. `version` is the version of the service at the time of the
    invitation."""

    format: int
    name: Text
    host: Text
    port: Annotated[int, Meta(ge=1, le=65535)]
    authority: Text
    certificate: Text
    key: Text
    version: Text = VERSION

    def to_bytes(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def read(path: Path) -> Invitation:
    """Read an invitation. Raises UsageError if the file is none."""
    try:
        with path.open("rb") as file:
            invitation = msgspec.json.decode(file.read(MOST_BYTES), type=Invitation)
    except OSError as error:
        raise UsageError("lending.invitation_unreadable", file=path, error=of_os_error(error)) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("lending.no_invitation", file=path) from error
    if invitation.format != FORMAT:
        raise UsageError("lending.no_invitation", file=path)
    return invitation


def address_text(host: str, port: int) -> str:
    return f"tls://[{host}]:{port}" if ":" in host else f"tls://{host}:{port}"


def reachable_host(host: str) -> str:
    """The host by which others reach this machine if it listens on `host`. For a wildcard address, this is the address
    from which the machine would send, or else its name."""
    if host not in ("0.0.0.0", "::"):
        return host
    for family, elsewhere in zip((socket.AF_INET, socket.AF_INET6), ELSEWHERE, strict=True):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asked:
                asked.connect(elsewhere)
                return str(asked.getsockname()[0])
        except OSError:
            continue
    return socket.getfqdn()
