"""EDGE: builds a separate environment for the installed service from the running one, without network access.

The pinned distributions are copied file by file, as their metadata lists them. So the service runs with exactly the
versions tested here, and needs neither the development tools nor the checkout.
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
# Packages that a user may have added (see docs/dependencies.md).
OPTIONAL: Final = ("pillow-jxl-plugin", "packaging")
# A file that marks a folder as built here, so that it may be removed.
VERSION_FILE: Final = "comparimg-version"

# Nothing in the folder depends on its path, so that it can be moved and linked to.
LAUNCHER: Final = """\
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -I -c 'from {module} import main; main()' "$@"
"""
# The programs of pyproject.toml, with the module of each.
PROGRAMS: Final = {"comparimg-ctl": "daemon.ctl.main", "comparimg-worker": "daemon.remote_workers.join"}


def is_checkout() -> bool:
    """Whether this program runs from its sources, not from an installation."""
    return (SOURCES / "pyproject.toml").is_file()


def base_python() -> str:
    """The interpreter for a new environment. This is the system's, which gets updates, if it has the same version;
    otherwise the base interpreter of the present environment."""
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return str(system) if system.exists() else str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]


def build(target: Path, python: str, with_added: bool = True) -> None:
    """Build the folder `target`, under another name first, so that an existing one stays until the new one is complete.
    With `with_added`, packages that the user has added are copied as well. Raises ComparImgError."""
    fresh, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    try:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        _fill(fresh, python, OPTIONAL if with_added else ())
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ComparImgError("ctl.environment_failed", path=target, error=error) from error
    except subprocess.CalledProcessError as error:
        output = error.stderr.decode("utf-8", "replace").strip() or error
        raise ComparImgError("ctl.environment_incomplete", path=target, error=output) from error


def version_in(target: Path) -> str:
    """The version of the environment in a folder, "" if none was built there."""
    try:
        return (target / VERSION_FILE).read_text("utf-8").strip()
    except OSError:
        return ""


def remove(target: Path) -> bool:
    """Remove an environment that was built here. Returns whether there was one."""
    if not version_in(target):
        return False
    shutil.rmtree(target)
    return True


def _fill(fresh: Path, python: str, added: Iterable[str]) -> None:
    subprocess.run([python, "-I", "-m", "venv", "--without-pip", str(fresh)], check=True, capture_output=True)
    # These contain the path of the folder, which is about to be renamed. They are not needed.
    for script in (fresh / "bin").glob("[aA]ctivate*"):
        script.unlink()
    (packages,) = fresh.glob("lib/python*/site-packages")
    ours = metadata.distribution("comparimg")
    for name, may_lack in _requirement_names(ours.requires or ()).items():
        _copy_distribution(name, packages, may_lack)
    for name in added:
        _copy_distribution(name, packages, may_lack=True)
    for name in PACKAGES:
        shutil.copytree(SOURCES / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(packages / name, quiet=1, stripdir=str(fresh))
    dist_info = packages / f"comparimg-{VERSION}.dist-info"
    dist_info.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: comparimg", f"Version: {VERSION}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in ours.requires or ()]
    (dist_info / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
    for program, module in PROGRAMS.items():
        launcher = fresh / "bin" / program
        launcher.write_text(LAUNCHER.format(module=module), "utf-8")
        launcher.chmod(0o755)
    (fresh / VERSION_FILE).write_text(f"{VERSION}\n", "utf-8")


def _requirement_names(requirements: Iterable[str]) -> dict[str, bool]:
    """The names in pins such as `click==8.5.1`. Each is mapped to whether the service can do without it, because it
    belongs to an extra or is for other versions of Python."""
    return {
        match[0]: ";" in requirement for requirement in requirements if (match := re.match(r"[\w.-]+", requirement))
    }


def _copy_distribution(name: str, packages: Path, may_lack: bool) -> None:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        if may_lack:
            return
        raise ComparImgError("ctl.package_missing", name=name) from None
    for file in distribution.files or ():
        source = Path(str(file.locate()))
        # Scripts and examples are outside the packages, and not needed.
        if ".." in file.parts or not source.is_file():
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
