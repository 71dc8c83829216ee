"""comparimg-ctl, every command with every kind of odd argument: an error in a line, its exit code, no traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import click
import pytest

from daemon.client import Client
from daemon.ctl import calibration, compress, detect, doctor, remote, setup, sorting
from daemon.ctl.main import LONGEST_LINE, program, run
from daemon.ctl.rest_path import at
from daemon.service import Service
from index.errors import UsageError
from support.pictures import photograph, save
from support.serving import config_over, until, write_config
from support.terminal import DONE, FAILED, NO_DAEMON, WRONG_USAGE, Ctl

TOP = Path(__file__).parents[3]

for module in (calibration, compress, detect, doctor, remote, setup, sorting):
    module.register(program)

ODD = (
    "a b", "é", "%", "%2F", "a/b", "..", "?a=b&c#d", "a\nb", "", "\udcff", "\x1b[31m", "x" * 5000, "-5", "9" * 30,
    "9" * 5000, "nan", "inf", "[" * 5000, "é=keep", "1=keep", "\ud800",
)  # fmt: skip
FOR_OPTIONS = ("a b", "\udcff", "", "9" * 30, "nan")
# Wait for more than an answer, or change what the others see.
LEFT_OUT = {"doctor", "token", "notify-test"}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif name not in LEFT_OUT:
            yield (*path, name), command


COMMANDS = [found for found in commands(program) if found[0][0] != "service"]


def calls_of(path: tuple[str, ...], command: click.Command) -> Iterator[list[str]]:
    """The command with something odd in place of each argument, all of them, and each option."""
    places = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    fitting = [str(one.type.choices[0]) if isinstance(one.type, click.Choice) else "1" for one in places]
    for odd in ODD if places else ():
        yield [*path, "--", *[odd] * len(places)]
        for number in range(len(places) if len(places) > 1 else 0):
            yield [*path, "--", *fitting[:number], odd, *fitting[number + 1 :]]
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag:
            yield from ([*path, f"{option.opts[0]}", odd, "--", *fitting] for odd in FOR_OPTIONS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("odd")
    photos = folder / "photos"
    save(photograph(1, 80, 60), photos / "a.png")
    save(photograph(1, 80, 60), photos / "b.png")
    with Service(config_over(folder, photos)) as started:
        until(lambda: Client(started.address).get("groups")["total"] == 1)
        yield started


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_an_odd_argument_is_an_error_in_a_line(
    ctl_alone: Ctl, service: Service, path: tuple[str, ...], command: click.Command, caplog: pytest.LogCaptureFixture
) -> None:
    for arguments in calls_of(path, command):
        answer = ctl_alone("--address", service.address, *arguments)
        shown = [argument[:40] for argument in arguments]
        assert answer.code in (DONE, FAILED, WRONG_USAGE), (shown, answer)
        assert "Traceback" not in answer.err
        errors = [line for line in answer.err.splitlines() if line.startswith("comparimg-ctl: ")]
        assert len(errors) == (answer.code != DONE), (shown, answer)
        assert all(len(line) <= LONGEST_LINE + 10 and line.isprintable() for line in answer.err.splitlines()), shown
    assert [record for record in caplog.records if record.exc_info] == [], "the service had no failure inside either"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("group", "a b"), FAILED), (("group", "é"), FAILED), (("group", "a%2Fb"), FAILED),
        (("group", "\udcff"), FAILED),
        (("group", "a/b"), WRONG_USAGE), (("group", "1/decisions"), WRONG_USAGE), (("group", ".."), WRONG_USAGE),
        (("group", ""), WRONG_USAGE), (("group", "x" * 5000), WRONG_USAGE), (("group", "x" * 101), FAILED),
        (("decide", "é", "1=keep"), FAILED), (("decide", "k", "9" * 30 + "=keep"), WRONG_USAGE),
        (("decide", "k", "²=keep"), WRONG_USAGE), (("decide", "a b", "--clear"), FAILED),
        (("job", "-5"), WRONG_USAGE), (("job", "9" * 30), FAILED), (("cancel", "0"), FAILED),
        (("job", "--", "-5"), FAILED),
        (("revoke", "a b"), FAILED), (("not-duplicates", "?x"), FAILED), (("rules", "revoke", "9" * 30), FAILED),
        (("trash", "restore", "9" * 30), WRONG_USAGE),
        (("trash", "empty", "--yes", "--older-than", "nan"), WRONG_USAGE),
        (("trash", "empty", "--yes", "--older-than", "inf"), WRONG_USAGE), (("undo", "9" * 30), FAILED),
        (("run", "detect", "-p", "hsize=NaN"), WRONG_USAGE),
        (("run", "detect", "-p", "hsize=" + "[" * 5000), WRONG_USAGE),
        (("schedule", "add", "n", "scan", "every 6h", "-p", "[" * 5000), WRONG_USAGE),
        (("schedule", "remove", "a\nb"), FAILED), (("explain", "x" * 5000, "b"), WRONG_USAGE),
        (("compress", "x" * 5000), WRONG_USAGE), (("detect", "x" * 5000), WRONG_USAGE),
        (("--config", "x" * 5000, "config", "check"), WRONG_USAGE), (("dance\n" * 2000,), WRONG_USAGE),
    ],
)  # fmt: skip
def test_the_exit_code_says_whose_fault_it_is(
    ctl_alone: Ctl, service: Service, arguments: tuple[str, ...], code: int
) -> None:
    """2 for what can be none, 1 for what is not there."""
    answer = ctl_alone("--address", service.address, *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("comparimg-ctl: ")


@pytest.mark.parametrize(
    "address",
    ["localhost", "127.0.0.1:5000", "ftp://localhost", "http://", "http://[", "http://a b", "http://é", "http://x:99999",
     "http://x:-1", "http://x:y", "http://x\n", "file:///etc/passwd", "http://x?y", "http://x#y"],
)  # fmt: skip
def test_what_is_no_address_is_wrong_usage(ctl_alone: Ctl, address: str) -> None:
    with pytest.raises(UsageError) as raised:
        Client(address)
    assert raised.value.hint
    assert ctl_alone("--address", address, "status").code == WRONG_USAGE


def test_an_empty_address_is_that_of_the_configuration(ctl_alone: Ctl, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Client("")
    config = write_config(tmp_path, tmp_path / "photos", port=1)
    answer = ctl_alone("--config", config, "--address", "", "status")
    assert answer.code == NO_DAEMON
    assert "127.0.0.1:1" in answer.err


def test_a_token_that_can_be_none_is_wrong_usage(ctl_alone: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in ("é", "two\nlines", "\udcff"):
        monkeypatch.setenv("COMPARIMG_TOKEN", token)
        answer = ctl_alone("--address", "http://127.0.0.1:1", "status")
        assert answer.code == WRONG_USAGE
        assert "COMPARIMG_TOKEN" in answer.err
        assert token not in answer.err


class Stranger(BaseHTTPRequestHandler):
    """Another program at the address of the daemon."""

    answers = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}",
        b"SSH-2.0-OpenSSH\r\n", b"", b"HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff",
        b"HTTP/1.1 500 No\r\nContent-Length: 12\r\n\r\n{\"error\": []}",
    )  # fmt: skip
    number = 0

    def do_GET(self) -> None:
        self.wfile.write(self.answers[Stranger.number])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("number", range(len(Stranger.answers)))
def test_another_program_at_the_address_is_reported(ctl_alone: Ctl, number: int) -> None:
    Stranger.number = number
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        answer = ctl_alone("--address", f"http://127.0.0.1:{server.server_port}", "job", "1")
        thread.join()
    assert answer.code in (FAILED, NO_DAEMON)
    assert answer.err.startswith("comparimg-ctl: ")


def test_a_path_is_made_in_one_place_only() -> None:
    """`at` quotes; a path made otherwise would not be."""
    for file in (Path(__file__).parents[3] / "daemon" / "ctl").glob("*.py"):
        for line in file.read_text().splitlines():
            for method in ("get", "put", "post", "patch", "delete", "pages"):
                assert f'ask.{method}(f"' not in line and f').{method}(f"' not in line, f"{file}: {line.strip()}"
    assert at("groups", "a b", 5, "é%?#") == "groups/a%20b/5/%C3%A9%25%3F%23"
    assert at("groups", "\udcff") == "groups/%FF"


def test_the_real_program_says_so_too(service: Service, tmp_path: Path) -> None:
    """With bytes that are no text, as a shell gives them, under a locale without any."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    program = Path(sys.executable).with_name("comparimg-ctl")
    for arguments in ((b"decide", b"\xc3\xa9", b"1=keep"), (b"group", b"a \xff")):
        done = subprocess.run(
            [program, "--address", service.address, *arguments], env=environment, capture_output=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == FAILED
        assert done.stderr.startswith(b"comparimg-ctl: ")
        assert b"Traceback" not in done.stderr


def test_what_is_no_text_at_all_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["group", "\ud800"]) == WRONG_USAGE
    assert capsys.readouterr().err == "comparimg-ctl: An argument is not valid text.\n"


def test_an_empty_path_is_not_the_current_folder(
    ctl_alone: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = save(photograph(1, 320, 240), tmp_path / "a.png")
    before = picture.read_bytes()
    monkeypatch.chdir(tmp_path)
    for arguments in (["detect", ""], ["compress", "-p", "", "-m", "-s", "0"], ["trash", "recover", ""]):
        answer = ctl_alone(*arguments)
        assert answer.code == WRONG_USAGE, arguments
        assert "A path is empty" in answer.err
    assert picture.read_bytes() == before


@pytest.mark.parametrize("closed", [">&- 2>&-", ">&-", "<&-"])
def test_closed_standard_streams(tmp_path: Path, closed: str) -> None:
    save(photograph(1, 80, 60), tmp_path / "photos/a.png")
    program = [sys.executable, "-c", "from daemon.ctl.main import main; main()"]
    command = [*program, "detect", "photos", "--data-dir", "data", "--method", "hash", "--json", "result.json"]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *command], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "result.json").exists()


def test_a_console_that_lacks_the_letters_of_french(tmp_path: Path) -> None:
    save(photograph(1, 80, 60), tmp_path / "photos/a.png")
    program = [sys.executable, "-c", "from daemon.ctl.main import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(TOP), "LC_ALL": "fr_FR.UTF-8", "PYTHONIOENCODING": "ascii"}
    for arguments in (["--help"], ["detect", "photos", "--data-dir", "data", "--method", "hash"]):
        done = subprocess.run([*program, *arguments], check=True, cwd=tmp_path, env=environment, capture_output=True)
        assert done.stderr == b"", arguments
