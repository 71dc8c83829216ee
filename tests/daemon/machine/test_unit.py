"""The unit says what may be written and no more, and systemd itself finds nothing wrong with it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.machine import unit

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def plan(**values: object) -> unit.UnitOptions:
    return unit.UnitOptions(**{"python": sys.executable, "config": "/etc/hosts", **values})  # type: ignore[arg-type]


SYSTEM = plan(user="root", writable=(b"/srv/photos", b"/mnt/my disk"), protected=(b"/srv/photos/originals",))


def test_the_folders_that_may_be_written_are_those_given() -> None:
    text = unit.render(SYSTEM)
    assert "ProtectSystem=strict\n" in text
    assert unit.paths_of(text, "ReadWritePaths") == unit.path_lines(SYSTEM.writable)
    assert unit.paths_of(text, "ReadOnlyPaths") == ["-/srv/photos/originals"]
    assert "User=root\n" in text


def test_homes_are_hidden_unless_photographs_lie_in_them() -> None:
    hidden = plan(user="ann", python="/opt/comparimg/bin/python", writable=(b"/srv/photos",))
    assert "ProtectHome=yes\n" in unit.render(hidden)
    assert "ProtectHome=read-only\n" in unit.render(plan(user="ann", writable=(b"/home/ann/Pictures",)))
    assert "ProtectHome=yes\n" in unit.render(
        plan(user="ann", python="/opt/comparimg/bin/python", writable=(b"/homepage",))
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/srv/photos", "-/srv/photos"),
        (b"/srv/100%", "-/srv/100%%"),
        (b"/srv/a\nExecStart=/bin/evil", r'"-/srv/a\x0aExecStart=/bin/evil"'),
        (b'/srv/a"b\\c $x', r'"-/srv/a\x22b\x5cc\x20\x24x"'),
        (b"/srv/\xc3\xa4\xff", r'"-/srv/\xc3\xa4\xff"'),
    ],
)
def test_no_name_of_a_folder_breaks_out_of_its_line(path: bytes, expected: str) -> None:
    text = unit.render(plan(user="root", writable=(path,)))
    assert unit.paths_of(text, "ReadWritePaths") == [expected]
    assert "\nExecStart=/bin/evil" not in text


def test_a_users_own_unit_asks_for_nothing_that_needs_a_privilege() -> None:
    text = unit.render(plan(writable=(b"/home/ann/Pictures",)))
    assert "WantedBy=default.target" in text
    for key in ("User", "ProtectSystem", "ReadWritePaths", "CapabilityBoundingSet", "PrivateTmp", "StateDirectory"):
        assert unit.paths_of(text, key) == []
    assert "NoNewPrivileges=yes\n" in text


@needs_systemd
@pytest.mark.parametrize("text", [unit.render(SYSTEM), unit.render(plan())], ids=["system", "user"])
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / unit.NAME
    file.write_text(text)
    ended = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


@needs_systemd
def test_systemd_calls_it_hardly_exposed(tmp_path: Path) -> None:
    file = tmp_path / unit.NAME
    file.write_text(unit.render(plan(user="daemon", python="/usr/bin/python3", writable=(b"/srv/photos",))))
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    exposure = re.search(r"Overall exposure level.*: (\d+\.\d)", output)
    assert exposure is not None, output
    assert float(exposure[1]) <= 2.0
