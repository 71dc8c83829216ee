"""The process that listens has given up what it does not need: tried in a process that did the same."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.remote_workers.confinement import landlock_version
from support.lending import Lending

TOP = Path(__file__).parents[3]
TRIES = """
import os, socket, sys
from daemon.remote_workers.confinement import confine
port, secret, mine = int(sys.argv[1]), sys.argv[2], os.open(sys.argv[2], os.O_RDONLY)
print(confine(40, 2**30))
def tried(name, what):
    try:
        what()
        print(name, "done")
    except OSError as error:
        print(name, "refused")
tried("read", lambda: open(secret).read())
tried("list", lambda: os.listdir(os.path.dirname(secret)))
tried("write", lambda: open(secret, "a").write("x"))
tried("make", lambda: os.mkdir(secret + ".d"))
tried("fork", lambda: os._exit(0) if os.fork() == 0 else None)
tried("run", lambda: os.execv("/bin/true", ["true"]))
tried("connect", lambda: socket.socket().connect(("127.0.0.1", port)))
tried("listen", lambda: socket.socket().bind(("127.0.0.1", 0)))
tried("many files", lambda: [os.dup(mine) for _ in range(50)])
tried("become", lambda: os.setuid(0) if os.getuid() else (_ for _ in ()).throw(OSError))
"""
FORBIDDEN = {"read", "list", "write", "make", "fork", "run", "many files", "become"}


@pytest.mark.attack("the process that listens was taken over")
@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_a_confined_process_reaches_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("secret")
    secret.chmod(0o666)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-c", TRIES, str(port), str(secret)],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(TOP)},
        )  # fmt: skip
    locked, *lines = ended.stdout.splitlines()
    assert locked == "True"
    became = dict(line.rsplit(" ", 1) for line in lines)
    network = {"connect", "listen"} if landlock_version() >= 4 else set()
    assert {name for name, what in became.items() if what == "refused"} >= FORBIDDEN | network, became
    assert secret.read_text() == "secret"


def test_the_process_that_listens_is_a_child_with_nothing(tmp_path: Path, lend: type[Lending]) -> None:
    lending = lend()
    assert lending.port
    pid = lending.lender.gate_pid
    assert pid is not None
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert int(status["PPid"]) == os.getpid()
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    if os.geteuid() == 0:
        assert set(status["Uid"].split()) == {"65534"}
        assert (process / "cwd").readlink() == Path("/")
        assert "TOKEN" not in (process / "environ").read_text()
        files = {str(file.readlink()) for file in (process / "fd").iterdir()}
        assert {file.partition(":")[0] for file in files} <= {"/dev/null", "socket", "anon_inode"}, files
