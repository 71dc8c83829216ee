"""EDGE: the doctor's checks of lending to other machines. They change nothing."""

import ipaddress
import stat
from collections.abc import Iterator

from daemon.configuration.config import Config
from daemon.machine.checks import Finding, Grade
from daemon.remote_workers.confinement import landlock_version
from daemon.remote_workers.roster import AUTHORITY_KEY, SERVICE, Roster
from index.errors import StoreError
from index.messages import Message, text
from index.settings import parse_tls_address


def lending(config: Config) -> Iterator[Finding]:
    """Whether strangers can reach the address or read the keys. Nothing if lending is off."""
    address = config.workers.listen
    if not address:
        return
    host, _ = parse_tls_address(address)
    roster = Roster(config.daemon.data_dir)
    try:
        invited = roster.invited()
    except StoreError as error:
        yield Finding("workers", Grade.WRONG, Message("doctor.lending_list", problem=error.message), error.hint)
        return
    if invited:
        yield Finding("workers", Grade.GOOD, Message("doctor.lending_invited", n=len(invited), address=address))
    else:
        yield Finding("workers", Grade.NOTE, Message("doctor.lending_closed", address=address),
                      Message("doctor.lending_closed_remedy"))  # fmt: skip
    yield from _openness(host, address)
    for name in (AUTHORITY_KEY, SERVICE):
        file = roster.folder / name
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield Finding("workers", Grade.WRONG, Message("doctor.lending_readable", file=file),
                          text(f"chmod 600 {file}"))  # fmt: skip
    if not landlock_version():
        yield Finding("workers", Grade.NOTE, Message("doctor.lending_unisolated"),
                      Message("doctor.lending_unisolated_remedy"))  # fmt: skip


def _openness(host: str, shown: str) -> Iterator[Finding]:
    """What is wrong with an address that can be reached from more than one network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if address.is_unspecified:
        yield Finding("workers", Grade.WARNING, Message("doctor.lending_exposed", address=shown),
                      Message("doctor.lending_exposed_remedy"))  # fmt: skip
    elif address.is_global:
        yield Finding("workers", Grade.WARNING, Message("doctor.lending_public", address=shown),
                      Message("doctor.lending_public_remedy"))  # fmt: skip
