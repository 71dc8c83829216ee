"""comparimg-ctl workers: machines are let in, listed and let in no more, with a daemon and without."""

import json
import stat
from pathlib import Path

import pytest

from daemon.remote_workers import inviting
from daemon.remote_workers.invitation import read
from support.terminal import Ctl


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "comparimg.toml"
    file.write_text(
        f'[daemon]\ndata_dir = "{tmp_path}/data"\n[web]\nport = 1\n[workers]\nlisten = "tls://127.0.0.1:5443"\n'
    )
    return file


def test_a_machine_is_invited_listed_and_revoked(ctl_alone: Ctl, config: Path) -> None:
    answer = ctl_alone("--config", config, "workers", "invite", "desktop")
    assert answer.code == 0
    assert "comparimg-worker join desktop.worker" in answer.out
    file = Path("desktop.worker")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (read(file).host, read(file).port) == ("127.0.0.1", 5443)
    assert "desktop  not connected" in ctl_alone("--config", config, "workers", "list").out
    listed = json.loads(ctl_alone("--config", config, "workers", "list", "--json").out)
    assert listed == {"items": [{"name": "desktop", "connected": False}]}
    assert ctl_alone("--config", config, "workers", "revoke", "desktop").code == 0
    assert "desktop" not in ctl_alone("--config", config, "workers", "list").out
    again = ctl_alone("--config", config, "workers", "revoke", "desktop")
    assert again.code == 1 and "No machine named desktop" in again.err


def test_its_options(ctl_alone: Ctl, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    answer = ctl_alone(
        "--config", config, "workers", "invite", "laptop", "--out", out, "--host", "nas.example", "--json"
    )
    assert json.loads(answer.out) == {"name": "laptop", "file": str(out), "host": "nas.example", "port": 5443}
    assert read(out).host == "nas.example"


@pytest.mark.parametrize("name", ["a b", "../x", "-"])
def test_what_is_no_name_is_refused(ctl_alone: Ctl, config: Path, tmp_path: Path, name: str) -> None:
    answer = ctl_alone("--config", config, "workers", "invite", "--", name)
    assert (answer.code == 2 and "not a valid name" in answer.err) or name == "-"


def test_nothing_listens(ctl_alone: Ctl, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text(f'[daemon]\ndata_dir = "{tmp_path}/data"\n')
    answer = ctl_alone("--config", tmp_path / "none.toml", "workers", "invite", "desktop")
    assert answer.code == 2 and "[workers]" in answer.err
    assert not (tmp_path / "data").exists()


def test_without_cryptography_it_says_what_to_install(
    ctl_alone: Ctl, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    monkeypatch.delitem(__import__("sys").modules, inviting.__name__)
    monkeypatch.delitem(__import__("sys").modules, "daemon.remote_workers.certificates")
    answer = ctl_alone("--config", config, "workers", "invite", "desktop")
    assert answer.code == 2 and "cryptography" in answer.err
    assert not Path("desktop.worker").exists()


@pytest.mark.parametrize(
    ("listen", "says"),
    [("tls://0.0.0.0:5443", "every network"), ("tls://8.8.8.8:5443", "public"), ("tls://192.168.1.2:5443", "")],
)
def test_the_doctor_warns_of_an_open_address(ctl_alone: Ctl, config: Path, listen: str, says: str) -> None:
    config.write_text(config.read_text().replace("tls://127.0.0.1:5443", listen))
    assert "workers invite NAME" in ctl_alone("--config", config, "doctor").out
    ctl_alone("--config", config, "workers", "invite", "desktop", "--host", "nas")
    lines = [line for line in ctl_alone("--config", config, "doctor").out.splitlines() if "workers" in line]
    assert any("1 machine is invited" in line for line in lines)
    assert any(says in line for line in lines)
    assert ("every network" in " ".join(lines)) == (says == "every network")


def test_the_doctor_sees_a_key_that_others_can_read(ctl_alone: Ctl, config: Path, tmp_path: Path) -> None:
    ctl_alone("--config", config, "workers", "invite", "desktop")
    key = tmp_path / "data" / "workers" / "authority.key"
    key.chmod(0o644)
    answer = ctl_alone("--config", config, "doctor")
    assert f"other users can read {key}" in answer.out
    assert answer.code == 1
    (tmp_path / "data" / "workers" / "invited.json").write_text("{")
    assert "no machine can connect" in ctl_alone("--config", config, "doctor").out


@pytest.mark.parametrize("listen", ["tcp://a:1", "tls://a", "0.0.0.0:5443", "tls://a:1/x"])
def test_an_address_without_tls_is_refused(ctl_alone: Ctl, config: Path, listen: str) -> None:
    config.write_text(config.read_text().replace("tls://127.0.0.1:5443", listen))
    answer = ctl_alone("--config", config, "workers", "list")
    assert answer.code == 2 and "tls://HOST:PORT" in answer.err
