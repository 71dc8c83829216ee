"""The token is made once, kept for its owner's eyes only, renewed on request, and never written where others look."""

import os
import stat
from pathlib import Path

import pytest

from daemon import pidfile
from daemon.client import Client
from daemon.configuration import tokens
from daemon.configuration.config import Config, load
from daemon.service import Service
from index.database.store import Store
from index.errors import ComparImgError, StoreError, UsageError


def config(folder: Path, web: str = 'host = "0.0.0.0"\nport = 0') -> Config:
    file = folder / "comparimg.toml"
    file.write_text(f'[daemon]\ndata_dir = "{folder}/data"\n[web]\n{web}\n')
    return load(file)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_an_address_that_others_can_reach_gets_a_token_at_the_first_start(tmp_path: Path) -> None:
    first = tokens.required(config(tmp_path))
    assert len(first) >= 32
    assert tokens.required(config(tmp_path)) == first
    assert mode(tmp_path / "data" / "token") == 0o600
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["token"]


def test_this_machine_alone_needs_none(tmp_path: Path) -> None:
    assert tokens.required(config(tmp_path, 'host = "127.0.0.1"')) == ""
    assert not (tmp_path / "data").exists()


def test_behind_a_proxy_that_authenticates_this_machine_needs_one_too(tmp_path: Path) -> None:
    """A request that comes past the proxy must not count as one of the machine's own users."""
    behind = config(tmp_path, 'host = "127.0.0.1"\nauth_header = "Remote-User"\nauth_proxies = ["127.0.0.1"]')
    token = tokens.required(behind)
    assert len(token) >= 32
    assert tokens.client_token(behind, {}) == token, "comparimg-ctl on this machine reads it"


def test_a_configured_token_holds_and_is_not_renewed_here(tmp_path: Path) -> None:
    given = config(tmp_path, 'host = "0.0.0.0"\ntoken = "a-token-of-some-length"')
    assert tokens.required(given) == tokens.client_token(given, {}) == "a-token-of-some-length"
    with pytest.raises(UsageError, match=r"comparimg\.toml"):
        tokens.renew(given)
    assert not (tmp_path / "data").exists()


def test_a_new_token_takes_the_place_of_the_old(tmp_path: Path) -> None:
    first = tokens.required(config(tmp_path))
    second = tokens.renew(config(tmp_path))
    assert second != first
    assert tokens.required(config(tmp_path)) == tokens.client_token(config(tmp_path), {}) == second
    assert tokens.client_token(config(tmp_path), {"COMPARIMG_TOKEN": "another"}) == "another"


def test_a_token_that_others_could_read_is_shut_away_again(tmp_path: Path) -> None:
    token = tokens.required(config(tmp_path))
    (tmp_path / "data" / "token").chmod(0o644)
    assert tokens.required(config(tmp_path)) == token
    assert mode(tmp_path / "data" / "token") == 0o600


@pytest.mark.parametrize("content", ["", "short", "with spaces in its midst\nand lines"])
def test_what_is_no_token_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "token").write_text(content)
    assert len(tokens.required(config(tmp_path))) >= 32


@pytest.mark.attack("a link placed where the token will be written")
def test_a_link_in_the_place_of_the_token_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("token", "token.partial"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "victim")
    tokens.generate(tmp_path / "data")
    assert not (tmp_path / "victim").exists()
    assert (tmp_path / "data" / "token").is_file() and not (tmp_path / "data" / "token").is_symlink()


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreError, match="cannot be"):
        tokens.required(config(tmp_path))


@pytest.mark.attack("tokens in the log")
def test_a_service_requires_it_and_never_logs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    with Service(config(tmp_path)) as service:
        token = tokens.stored(tmp_path / "data")
        with pytest.raises(ComparImgError, match="token"):
            Client(service.address).get("status")
        assert Client(service.address, token).get("status")
        # Of this very process: the command line, and what it was started with.
        process = Path("/proc/self")
        assert token.encode() not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        tokens.renew(config(tmp_path))
        service.reload(config(tmp_path))
        with pytest.raises(ComparImgError, match="token"):
            Client(service.address, token).get("status")
    output = caplog.text + "".join(capfd.readouterr())
    assert token not in output
    assert tokens.stored(tmp_path / "data") not in output


def test_the_process_that_holds_an_index_is_found(tmp_path: Path) -> None:
    assert pidfile.process_of(tmp_path / "data") is None
    with Store(tmp_path / "data"):
        assert pidfile.process_of(tmp_path / "data") == os.getpid()
    assert pidfile.process_of(tmp_path / "data") is None
    assert not pidfile.reload(tmp_path / "data")
