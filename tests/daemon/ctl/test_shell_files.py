"""The manual page and the completions: complete, and read by the programs they are for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.ctl import shell_files
from daemon.ctl.main import register_all
from support.terminal import DONE, Ctl


def complete(*words: str) -> list[str]:
    """What bash is offered for the last of these words, by the program itself."""
    program = Path(sys.executable).with_name(shell_files.NAME)
    asked = {
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        shell_files.COMPLETE: "bash_complete",
    }
    ended = subprocess.run([program], env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in ended.stdout.splitlines()]


def test_commands_and_their_options_are_completed() -> None:
    assert complete("comparimg-ctl", "dup") == ["duplicates"]
    assert complete("comparimg-ctl", "duplicates", "--format", "c") == ["csv"]
    assert "--dry-run" in complete("comparimg-ctl", "sort", "--")


@pytest.mark.parametrize("shell", shell_files.COMPLETIONS)
def test_a_script_for_each_shell_asks_the_program(ctl_alone: Ctl, shell: str) -> None:
    code, script, _ = ctl_alone("completion", shell)
    assert code == DONE
    assert f"{shell_files.COMPLETE}={shell}_complete" in script


def test_bash_reads_its_script(ctl_alone: Ctl, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(ctl_alone("completion", "bash").out + "\ncomplete -p comparimg-ctl\n")
    ended = subprocess.run(["bash", script], capture_output=True, text=True, check=True)
    assert "_comparimg_ctl_completion comparimg-ctl" in ended.stdout
    assert ended.stderr == ""


def in_shell(shell: str, *statements: str) -> str:
    """What a shell prints; its completions call the program that is tested."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    options = ["--no-config"] if shell == "fish" else ["-f"]
    command = [shell, *options, "-c", "\n".join(statements)]
    ended = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_by_its_script(ctl_alone: Ctl, tmp_path: Path) -> None:
    script = tmp_path / "comparimg-ctl.fish"
    script.write_text(ctl_alone("completion", "fish").out)
    asked = ["comparimg-ctl duplicates --format ", "comparimg-ctl service in"]
    shown = in_shell("fish", f"source {script}", *(f"complete -C '{line}'" for line in asked))
    *formats, install = shown.splitlines()
    assert sorted(formats) == ["csv", "json", "text"]
    assert install.startswith("install\tInstall the service, and"), "not cut at the comma"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_its_script_as_a_completion(ctl_alone: Ctl, tmp_path: Path) -> None:
    (tmp_path / "_comparimg-ctl").write_text(ctl_alone("completion", "zsh").out)
    shown = in_shell(
        "zsh", f"fpath=({tmp_path} $fpath)", f"autoload -Uz compinit && compinit -u -d {tmp_path}/dump",
        "print $_comps[comparimg-ctl]",
    )  # fmt: skip
    assert shown == "_comparimg-ctl\n"


def test_the_manual_has_every_command_and_option() -> None:
    program = register_all()
    page = shell_files.man_page(program)
    for name in program.commands:
        assert shell_files._escaped(f"comparimg-ctl {name}") in page
    assert shell_files._escaped("--kind") in page
    listed = {name for _, names in program.sections() for name in names}
    assert listed == set(program.commands)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_is_without_a_warning(tmp_path: Path) -> None:
    page = tmp_path / "page.1"
    page.write_text(shell_files.man_page(register_all()))
    command = ["groff", "-man", "-Tutf8", "-ww", str(page)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert "Print all duplicates in a form for other programs." in " ".join(ended.stdout.split())


def test_a_line_of_the_manual_is_no_macro() -> None:
    assert shell_files._escaped(".TH x") == r"\&.TH x"
    assert shell_files._escaped(r"a\b-c") == r"a\eb\-c"
