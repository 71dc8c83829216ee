"""The doctor finds what is wrong with folders, index, limits and service, says what to do, and changes nothing."""

import json
import os
import re
import shutil
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from daemon.components import component_versions
from daemon.configuration import stored_overrides
from daemon.configuration.config import load
from daemon.ctl.main import main
from daemon.files.mounts import Mount
from daemon.machine import checks, doctor, forward_auth_checks, installation, unit
from daemon.machine.checks import Finding, Grade
from daemon.machine.installation import Places
from daemon.service import Service
from daemon.version import VERSION
from index.database.records import folder_overrides
from index.database.records.folder_overrides import RootOverride
from index.database.store import Store
from index.database.upkeep.backups import Backups
from support.pictures import photograph, save
from support.serving import until, write_config

LOCAL = Mount(1, b"/", "ext4")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save(photograph(1, 64, 48), tmp_path / "photos" / "a.png")
    return write_config(tmp_path, tmp_path / "photos")


def examine(file: Path, *places: Places, address: str | None = None) -> list[Finding]:
    return list(doctor.examine(file, places, address))


def wrong(findings: list[Finding], grade: Grade = Grade.WRONG) -> dict[str, str]:
    return {finding.about.split()[0]: str(finding.message) for finding in findings if finding.grade is grade}


def snapshot(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


def test_a_machine_that_is_well_is_reported_so_and_left_as_it_was(file: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    findings = examine(file)
    assert wrong(findings) == {}
    assert {finding.about.split()[0] for finding in findings} >= {
        "program",
        "clock",
        "configuration",
        "index",
        "folder",
        "daemon",
    }
    assert snapshot(tmp_path) == before


def test_every_problem_of_a_wrong_configuration_is_reported(file: Path) -> None:
    file.write_text("[daemon]\nlgo = 1\nworkers = 0\n")
    findings = [finding for finding in examine(file) if finding.grade is Grade.WRONG]
    assert [str(finding.message).partition(":")[0] for finding in findings] == ["daemon.lgo", "daemon.workers"]
    assert all(str(file) in str(finding.remedy) for finding in findings)


def test_a_folder_that_is_gone_or_empty_is_reported(file: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "photos")
    assert "cannot be listed" in wrong(examine(file))["folder"]
    (tmp_path / "photos").mkdir()
    assert "assumed not to be mounted" in wrong(examine(file), Grade.WARNING)["folder"]


def test_a_folder_that_may_not_be_written_is_reported(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.access

    def access(path: object, mode: int, **how: bool) -> bool:
        return not (mode & os.W_OK and os.fsencode(str(path)).endswith(b"photos'")) and real(path, mode, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "access", access)
    assert "trash" in wrong(examine(file), Grade.WARNING)["folder"]
    file.write_text(file.read_text() + "protected = true\n")
    assert wrong(examine(file), Grade.WARNING) == {}


def test_a_trash_that_others_can_write_to_is_reported(file: Path, tmp_path: Path) -> None:
    trash = tmp_path / "photos" / ".comparimg-trash"
    trash.mkdir(mode=0o700)
    assert wrong(examine(file), Grade.WARNING) == {}
    trash.chmod(0o777)
    assert "other users can write" in wrong(examine(file), Grade.WARNING)["folder"]
    assert any("chmod -R go-w" in str(finding.remedy) for finding in examine(file))


@pytest.mark.parametrize(
    ("mount", "grade", "word"),
    [
        (Mount(1, b"/", "nfs4"), Grade.WRONG, "network"),
        (Mount(1, b"/", "vfat"), Grade.NOTE, "no hard links"),
    ],
)
def test_a_file_system_that_cannot_all_is_reported(
    file: Path, monkeypatch: pytest.MonkeyPatch, mount: Mount, grade: Grade, word: str
) -> None:
    monkeypatch.setattr(checks, "mount_of", lambda *_: mount)
    assert any(finding.grade is grade and word in str(finding.message) for finding in examine(file))


@pytest.mark.parametrize(
    ("mode", "more", "grade", "words"),
    [
        (0o777, False, Grade.WARNING, "other users can write to it (mode 777)"),
        (0o770, True, Grade.WARNING, "the service does not change that: there are other folders in it"),
        (0o755, False, Grade.NOTE, "other users can read it (mode 755)"),
    ],
)
def test_a_data_folder_that_others_may_use_is_named(
    file: Path, tmp_path: Path, mode: int, more: bool, grade: Grade, words: str
) -> None:
    data = load(file).daemon.data_dir
    data.mkdir(parents=True, exist_ok=True)
    if more:
        (data / "Pictures").mkdir()
    data.chmod(mode)
    (finding,) = [one for one in examine(file) if "other users can" in str(one.message)]
    assert (finding.grade, str(finding.remedy).startswith(f"chmod 700 {data}")) == (grade, True)
    assert words in str(finding.message)
    data.chmod(0o700)
    assert not [one for one in examine(file) if "other users can" in str(one.message)]


def test_a_full_disk_is_reported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, grade in ((10**6, Grade.WRONG), (10**9, Grade.WARNING)):
        monkeypatch.setattr(checks.shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(1, 1, free))
        assert any(finding.grade is grade and " free" in str(finding.message) for finding in examine(file))


def test_few_watches_are_reported_with_the_remedy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "max_user_watches", lambda: 8192)
    (warning,) = [finding for finding in examine(file) if finding.about == "limits" and finding.grade is Grade.WARNING]
    assert "8192" in str(warning.message) and "max_user_watches=1048576" in str(warning.remedy)


def test_a_clock_that_is_set_back_is_reported(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.time, "time", lambda: 1_000_000.0)
    assert "1970" in wrong(examine(file))["clock"]


def test_an_index_is_looked_through(file: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "data") as store:
        assert wrong(examine(file)) == {}, "also while it is in use"
        store.write(lambda db: db.execute_sql("DELETE FROM schema_migration WHERE name = '0001_initial'"))
    assert any("next start" in str(finding.message) for finding in examine(file))
    index = tmp_path / "data" / "index.sqlite3"
    with index.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * (index.stat().st_size - 4096))
    findings = [finding for finding in examine(file) if finding.about.startswith("index")]
    assert [finding.grade for finding in findings] == [Grade.WRONG]
    assert "backup" in str(findings[0].remedy)


def test_an_index_of_a_newer_version_is_reported(file: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "data"):
        pass
    with sqlite3.connect(tmp_path / "data" / "index.sqlite3") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(schema_migration)")]
        values = ["9999_later" if name == "name" else "99" for name in columns]
        database.execute(f"INSERT INTO schema_migration VALUES ({','.join('?' * len(values))})", values)
    database.close()
    assert "newer ComparImg" in wrong(examine(file))["index"]


def test_copies_that_are_old_are_reported(file: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "data") as store, store.read() as database:
        copy = Backups(tmp_path / "data").create(database.connection())
    week_ago_s = time.time() - 7 * 86_400
    os.utime(copy, (week_ago_s, week_ago_s))
    assert "7 days old" in wrong(examine(file), Grade.WARNING)["backups"]


def test_a_port_that_someone_else_has_is_reported(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file.write_text(file.read_text().replace("port = 0", f"port = {taken.getsockname()[1]}"))
        # The other program accepts and says nothing that we understand.
        taken.close()
        assert "daemon" not in wrong(examine(file))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        text = file.read_text().splitlines()
        port = bound.getsockname()[1]
        file.write_text("\n".join(f"port = {port}" if line.startswith("port = ") else line for line in text))
        assert "no program can listen" in wrong(examine(file))["daemon"]


def test_a_daemon_that_runs_is_asked(file: Path, tmp_path: Path) -> None:
    with Service(load(file)) as service:
        address = service.address
        until(
            lambda: any(
                finding.about == "daemon" and finding.grade is Grade.GOOD for finding in examine(file, address=address)
            )
        )
        assert wrong(examine(file, address=address)) == {}
        service._job_system.watcher.stop()
        assert "watching" in wrong(examine(file, address=address))["daemon"]


def test_another_daemon_at_our_address_is_not_taken_for_ours(file: Path, tmp_path: Path) -> None:
    with Service(load(file)) as service:
        port = service.address.rstrip("/").rpartition(":")[2]
        (tmp_path / "other").mkdir()
        other = write_config(tmp_path / "other", tmp_path / "photos", int(port))
        assert "another ComparImg with another configuration" in wrong(examine(other))["daemon"]


def test_a_unit_that_lets_too_little_be_written_is_reported(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(True, tmp_path / "env", file, tmp_path / "u.service", tmp_path / "ctl", tmp_path / "share", None)
    monkeypatch.setattr(installation, "RUNS_SYSTEMD", tmp_path / "no systemd")
    plan = unit.UnitOptions("/usr/bin/python3", str(file), "", (os.fsencode(tmp_path / "photos"),))
    places.unit.write_text(unit.render(unit.UnitOptions("/usr/bin/python3", str(file), "root")))
    assert str(tmp_path / "photos") in wrong(examine(file, places))["service"]
    places.unit.write_text(unit.render(unit.UnitOptions(plan.python, plan.config, "root", plan.writable)))
    assert wrong(examine(file, places)) == {}


def set_up_on_the_page(file: Path, *folders: Path, destinations: dict[str, bytes] | None = None) -> None:
    """What a service stores of watched folders and destinations that were added on its page."""
    with Store(load(file).daemon.data_dir) as store:
        added = {bytes(folder): RootOverride(True, {}) for folder in folders}
        store.write(lambda db: folder_overrides.write_roots(db, added))
        store.write(lambda db: folder_overrides.write_destinations(db, destinations or {}))


def test_what_was_set_up_on_the_page_is_examined_too(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(True, tmp_path / "env", file, tmp_path / "u.service", tmp_path / "ctl", tmp_path / "share", None)
    monkeypatch.setattr(installation, "RUNS_SYSTEMD", tmp_path / "no systemd")
    places.unit.write_text(unit.render(unit.UnitOptions("/usr/bin/python3", str(file), "root", (
        bytes(tmp_path / "photos"),
    ))))  # fmt: skip
    save(photograph(1, 64, 48), tmp_path / "added" / "a.png")
    set_up_on_the_page(file, tmp_path / "added", destinations={"best": bytes(tmp_path / "best")})
    findings = examine(file, places)
    problem = wrong(findings)["service"]
    assert str(tmp_path / "added") in problem and str(tmp_path / "best") in problem
    assert f"folder {tmp_path}/added" in {finding.about for finding in findings}
    shutil.rmtree(tmp_path / "added")
    assert "cannot be listed" in wrong(examine(file))["folder"]


def test_folders_that_the_page_could_not_add_are_not_taken_from_the_index(file: Path, tmp_path: Path) -> None:
    set_up_on_the_page(file, Path("/etc"), destinations={"system": b"/etc/systemd", "best": bytes(tmp_path / "best")})
    config = stored_overrides.effective(load(file))
    assert [section.path for section in config.watch] == [bytes(tmp_path / "photos")]
    assert dict(config.sort.destinations) == {"best": bytes(tmp_path / "best")}


def test_an_index_that_cannot_be_read_is_no_reason_to_stop(file: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.sqlite3").write_bytes(b"no database at all" * 100)
    assert "settings changed on the page are unknown" in wrong(examine(file), Grade.WARNING)["configuration"]
    assert f"folder {tmp_path}/photos" in {finding.about for finding in examine(file)}


def test_the_command_fails_where_something_is_wrong_and_answers_in_json(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(file), "doctor", *arguments])
        return int(ended.value.code or 0), *capsys.readouterr()

    code, out, _ = ask()
    assert code == 0
    assert "ok     folder" in out
    shutil.rmtree(tmp_path / "photos")
    code, out, err = ask("--json")
    assert code == 1
    assert "problem found" in err or "problems found" in err
    assert any(finding["grade"] == "wrong" and finding["remedy"] for finding in json.loads(out))


OPEN_TO_A_PROXY = 'host = "0.0.0.0"\nnames = ["photos.example"]\nauth_header = "Remote-User"\n'


def test_the_doctor_shows_the_versions_that_a_report_of_a_fault_needs(file: Path) -> None:
    shown = " ".join(str(finding.message) for finding in examine(file) if finding.about == "program")
    installed = component_versions()
    assert set(installed) >= {"Python", "SQLite", "Pillow", "NumPy", "OpenCV", "onnxruntime", "pi-heif-decoder"}
    for name, version in installed.items():
        assert f"{name} {version}" in shown
    assert f"ComparImg {VERSION}" in shown
    assert re.search(r"libheif \d+\.\d+", shown)


def auth_findings(folder: Path, web: str) -> list[tuple[Grade, str]]:
    file = folder / "comparimg.toml"
    file.write_text(f'[daemon]\ndata_dir = "{folder}/data"\n[web]\n{web}\n')
    found = [(finding.grade, finding.message.code) for finding in forward_auth_checks.forward_auth(load(file))]
    return [(grade, code.removeprefix("doctor.auth_")) for grade, code in found]


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        ("", []),
        ('auth_proxies = ["10.0.0.2"]', [(Grade.WARNING, "no_header")]),
        ('auth_header = "Remote-User"', [(Grade.WARNING, "no_proxy")]),
        (
            'auth_header = "Remote-User"\nauth_proxies = ["127.0.0.1", "::1"]\nnames = ["photos.example"]',
            [(Grade.GOOD, "believed"), (Grade.NOTE, "local")],
        ),
        (
            'host = "0.0.0.0"\nauth_header = "Remote-User"\nauth_proxies = ["172.18.0.2"]',
            [(Grade.GOOD, "believed"), (Grade.NOTE, "plain"), (Grade.NOTE, "no_name")],
        ),
        (
            'auth_header = "Remote-User"\nauth_proxies = ["172.18.0.2"]\nnames = ["photos.example"]',
            [(Grade.GOOD, "believed"), (Grade.WARNING, "unreachable")],
        ),
        *(
            (
                f'{OPEN_TO_A_PROXY}auth_proxies = ["{network}"]',
                [(Grade.GOOD, "believed"), (grade, code), (Grade.NOTE, "plain")],
            )
            for network, grade, code in (
                ("0.0.0.0/0", Grade.WRONG, "everyone"),
                ("::/0", Grade.WRONG, "everyone"),
                ("203.0.112.0/23", Grade.WARNING, "public"),
                ("8.8.8.8", Grade.WARNING, "public"),
                ("2a00::/16", Grade.WARNING, "public"),
                ("10.0.0.0/7", Grade.WARNING, "public"),
                ("0.0.0.0/1", Grade.WARNING, "public"),
                ("10.0.0.0/8", Grade.WARNING, "large"),
                ("172.16.0.0/12", Grade.WARNING, "large"),
                ("fd00::/48", Grade.WARNING, "large"),
                ("172.18.0.0/16", Grade.NOTE, "network"),
                ("192.168.1.0/24", Grade.NOTE, "network"),
                ("fd00::/64", Grade.NOTE, "network"),
            )
        ),
    ],
)
def test_the_doctor_names_who_may_claim_to_be_a_user(
    tmp_path: Path, web: str, expected: list[tuple[Grade, str]]
) -> None:
    assert auth_findings(tmp_path, web) == expected
