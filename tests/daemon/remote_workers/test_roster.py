"""Who is let in is in a list, which only its owner reads; an invitation is one file, which overwrites none."""

import json
import os
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from daemon.remote_workers import inviting, roster
from daemon.remote_workers.certificates import Authority, fingerprint
from daemon.remote_workers.invitation import reachable_host, read
from daemon.remote_workers.inviting import invite
from daemon.remote_workers.roster import AUTHORITY, AUTHORITY_KEY, LIST, SERVICE, Roster, check_name
from index.errors import NotFound, StoreError, UsageError
from index.settings import parse_tls_address


@pytest.fixture
def guests(tmp_path: Path) -> Roster:
    return Roster(tmp_path / "data")


def invited(guests: Roster, tmp_path: Path, name: str = "desktop") -> Path:
    target = tmp_path / f"{name}.worker"
    invite(guests, name, "10.0.0.1", 5443, target)
    return target


def test_an_invitation_holds_all_that_is_needed(guests: Roster, tmp_path: Path) -> None:
    assert not guests.exists
    assert guests.invited() == []
    invitation = read(invited(guests, tmp_path))
    assert guests.exists
    (entry,) = guests.invited()
    assert (invitation.name, invitation.host, invitation.port) == ("desktop", "10.0.0.1", 5443)
    assert entry.name == "desktop"
    assert entry.fingerprint == fingerprint(invitation.certificate.encode())


def test_only_the_owner_reads_them(guests: Roster, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        target = invited(guests, tmp_path)
    finally:
        os.umask(before)
    files = [target, *(guests.folder / name for name in (AUTHORITY, AUTHORITY_KEY, SERVICE, LIST))]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(guests.folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "desktop.worker"], "nothing else is left"


def test_openssl_finds_the_certificates_good_for_one_thing_each(guests: Roster, tmp_path: Path) -> None:
    invitation = read(invited(guests, tmp_path))
    (tmp_path / "worker.pem").write_text(invitation.certificate)

    def is_good(file: Path, use: str) -> bool:
        asked = ["openssl", "verify", "-x509_strict", "-purpose", use, "-CAfile", guests.folder / AUTHORITY, file]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    assert is_good(tmp_path / "worker.pem", "sslclient")
    assert not is_good(tmp_path / "worker.pem", "sslserver")
    assert is_good(guests.folder / SERVICE, "sslserver")
    assert not is_good(guests.folder / SERVICE, "sslclient")


def test_a_second_machine_is_let_in_by_the_same_authority(guests: Roster, tmp_path: Path) -> None:
    first, second = read(invited(guests, tmp_path)), read(invited(guests, tmp_path, "laptop"))
    assert first.authority == second.authority
    assert first.key != second.key
    guests.remove("desktop")
    assert [entry.name for entry in guests.invited()] == ["laptop"]
    with pytest.raises(NotFound, match="desktop"):
        guests.remove("desktop")
    assert read(invited(guests, tmp_path / "data", "desktop")).certificate != first.certificate


def test_a_file_that_is_there_is_left(guests: Roster, tmp_path: Path) -> None:
    target = tmp_path / "desktop.worker"
    target.write_text("mine")
    with pytest.raises(UsageError, match="already"):
        invite(guests, "desktop", "h", 1, target)
    assert target.read_text() == "mine"
    assert guests.invited() == []


def test_a_name_is_taken_once(guests: Roster, tmp_path: Path) -> None:
    invited(guests, tmp_path)
    with pytest.raises(UsageError, match="already"):
        invite(guests, "desktop", "h", 1, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert len(guests.invited()) == 1


@pytest.mark.fault("an invitation that cannot be written")
def test_who_gets_no_file_is_not_let_in(guests: Roster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inviting, "write_private", full)
    with pytest.raises(StoreError, match=r"desktop\.worker cannot be written"):
        invited(guests, tmp_path)
    assert guests.invited() == []


@pytest.mark.fault("a list that cannot be written")
def test_a_list_that_cannot_be_written_stays_as_it_is(
    guests: Roster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invited(guests, tmp_path)
    before = (guests.folder / LIST).read_bytes()
    monkeypatch.setattr(roster.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="cannot be written"):
        guests.remove("desktop")
    assert (guests.folder / LIST).read_bytes() == before
    assert not [path for path in guests.folder.iterdir() if "partial" in path.name]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": 1}]', '{"name": "x"}'])
def test_a_list_that_cannot_be_read_lets_no_one_in(guests: Roster, tmp_path: Path, text: str) -> None:
    invited(guests, tmp_path)
    (guests.folder / LIST).write_text(text)
    with pytest.raises(StoreError, match="cannot be read"):
        guests.invited()
    with pytest.raises(StoreError, match="cannot be read"):
        guests.remove("desktop")
    assert (guests.folder / LIST).read_text() == text


@pytest.mark.parametrize("name", ["", "a/b", "..\n", "a b", "x" * 61, "<b>", "a\0"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError, match="not a valid name"):
        check_name(name)


def test_names() -> None:
    for name in ("desktop", "Büro-2.fast_one", "x" * 60):
        assert check_name(name) == name


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1]", b'{"format": 2}', b"[" * 60_000])
def test_what_is_no_invitation(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.worker"
    file.write_bytes(data)
    with pytest.raises(UsageError, match="not an invitation"):
        read(file)


def test_an_invitation_of_another_format(guests: Roster, tmp_path: Path) -> None:
    file = invited(guests, tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    with pytest.raises(UsageError, match="not an invitation"):
        read(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none")


def test_addresses() -> None:
    assert parse_tls_address("tls://nas.lan:5443") == ("nas.lan", 5443)
    assert parse_tls_address("tls://[::1]:1") == ("::1", 1)
    for wrong in (
        "tcp://a:1",
        "tls://a",
        "tls://:1",
        "a:1",
        "tls://a:1/x",
        "tls://u@a:1",
        "tls://a:99999",
        "tls://a:x",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
            parse_tls_address(wrong)
    assert reachable_host("nas.lan") == "nas.lan"
    assert reachable_host("0.0.0.0") != "0.0.0.0"


def test_python_takes_the_certificates(guests: Roster, tmp_path: Path) -> None:
    invited(guests, tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(guests.folder / SERVICE)
    with pytest.raises(ValueError, match=r"authority|load|PEM"):
        Authority((guests.folder / AUTHORITY).read_bytes(), b"no key")
