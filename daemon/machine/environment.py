"""EDGE: an environment of its own for the installed service, made from the one that runs now, without any network.

The distributions that ComparImg is pinned to are copied file by file as they are recorded, so that the service runs on
exactly what was tested here, and neither tools for development nor the checkout are needed once it is made.
"""

import compileall
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from daemon.version import VERSION
from index.errors import ComparImgError

PACKAGES: Final = ("daemon", "index", "webui")
SOURCES: Final = Path(__file__).parents[2]
# What a user may have brought besides (see docs/dependencies.md).
OPTIONAL: Final = ("pillow-heif",)
# Says that a folder was made here, and may be taken away again.
MARK: Final = "comparimg-version"

# The folder may be moved and linked to: nothing in it knows where it is.
LAUNCHER: Final = """\
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -I -c 'from daemon.ctl.main import main; main()' "$@"
"""


def is_checkout() -> bool:
    """Whether this program runs from its sources, rather than from where it was installed."""
    return (SOURCES / "pyproject.toml").is_file()


def base_python() -> str:
    """The interpreter that an environment of this version is made of: the system's, which gets its updates, where it
    is of the same version; else the one behind the present environment."""
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return str(system) if system.exists() else str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]


def build(target: Path, python: str) -> None:
    """Make the folder `target` anew, beside it first: what was there stays until the new one is whole. Raises
    ComparImgError."""
    fresh, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    try:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        _fill(fresh, python)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ComparImgError(f"The environment {target} cannot be made: {error}.") from error
    except subprocess.CalledProcessError as error:
        told = error.stderr.decode("utf-8", "replace").strip() or error
        raise ComparImgError(
            f"The environment {target} cannot be made: {told}.", "On Debian and Ubuntu: apt install python3-venv."
        ) from error


def version_in(target: Path) -> str:
    """The version of the environment in a folder, "" where none was made there."""
    try:
        return (target / MARK).read_text("utf-8").strip()
    except OSError:
        return ""


def remove(target: Path) -> bool:
    """Take an environment away that was made here; whether there was one."""
    if not version_in(target):
        return False
    shutil.rmtree(target)
    return True


def _fill(fresh: Path, python: str) -> None:
    subprocess.run([python, "-I", "-m", "venv", "--without-pip", str(fresh)], check=True, capture_output=True)
    # They name the folder, which is about to be renamed, and nobody works in it.
    for script in (fresh / "bin").glob("[aA]ctivate*"):
        script.unlink()
    (packages,) = fresh.glob("lib/python*/site-packages")
    ours = metadata.distribution("comparimg")
    for name, may_lack in _names(ours.requires or ()).items():
        _copy_distribution(name, packages, may_lack)
    for name in OPTIONAL:
        _copy_distribution(name, packages, may_lack=True)
    for name in PACKAGES:
        shutil.copytree(SOURCES / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(packages / name, quiet=1, stripdir=str(fresh))
    told = packages / f"comparimg-{VERSION}.dist-info"
    told.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: comparimg", f"Version: {VERSION}"]
    lines += [f"Requires-Dist: {one}" for one in ours.requires or ()]
    (told / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
    launcher = fresh / "bin" / "comparimg-ctl"
    launcher.write_text(LAUNCHER, "utf-8")
    launcher.chmod(0o755)
    (fresh / MARK).write_text(f"{VERSION}\n", "utf-8")


def _names(requirements: Iterable[str]) -> dict[str, bool]:
    """The names in pins such as `click==8.5.1`, and whether each is wanted under a condition only."""
    return {found[0]: ";" in one for one in requirements if (found := re.match(r"[\w.-]+", one))}


def _copy_distribution(name: str, packages: Path, may_lack: bool) -> None:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        if may_lack:
            return
        raise ComparImgError(f"{name}, which ComparImg needs, is not installed here.", "Run `make setup`.") from None
    for file in distribution.files or ():
        source = Path(str(file.locate()))
        # Scripts and examples lie outside, and are not ours to use.
        if ".." in file.parts or not source.is_file():
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
