"""Invites a machine: creates its certificate, adds it to the list, and writes the file with which it joins.

Needs the package cryptography, but no running service: a running one notices the change of the list.
"""

import time
from pathlib import Path

from daemon.remote_workers.certificates import Authority, fingerprint
from daemon.remote_workers.invitation import FORMAT, Invitation
from daemon.remote_workers.roster import AUTHORITY, AUTHORITY_KEY, SERVICE, Invited, Roster, check_name, write_private
from index.errors import StoreError, UsageError
from index.messages import of_os_error


def invite(roster: Roster, name: str, host: str, port: int, target: Path) -> Invitation:
    """Let in a machine that will connect to `host` and `port`, and write its invitation to a new file. The first
    invitation also creates the authority. Raises UsageError and StoreError."""
    check_name(name)
    if target.exists():
        raise UsageError("lending.exists", file=target)
    authority = _authority(roster)
    certificate, key = authority.for_worker(name)
    invitation = Invitation(
        FORMAT, name, host, port, roster.read(AUTHORITY).decode("ascii"), certificate.decode("ascii"),
        key.decode("ascii"),
    )  # fmt: skip
    roster.add(Invited(name, fingerprint(certificate), time.time_ns()))
    try:
        write_private(target, invitation.to_bytes(), replace=False)
    except OSError as error:
        # No one has received the certificate, so it lets no one in.
        roster.remove(name)
        raise StoreError("lending.not_kept", file=target, error=of_os_error(error)) from error
    return invitation


def _authority(roster: Roster) -> Authority:
    with roster.locked():
        if not (roster.exists and (roster.folder / AUTHORITY_KEY).exists()):
            certificate, key = Authority.new()
            roster.write(AUTHORITY_KEY, key)
            roster.write(AUTHORITY, certificate)
            # Written last: it completes the folder.
            roster.write(SERVICE, Authority(certificate, key).for_service())
        try:
            return Authority(roster.read(AUTHORITY), roster.read(AUTHORITY_KEY))
        except ValueError as error:
            raise StoreError("lending.unreadable", file=roster.folder / AUTHORITY_KEY, error=error) from error
