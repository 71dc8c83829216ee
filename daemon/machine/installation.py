"""EDGE: installs and uninstalls the systemd service, with its environment, configuration, user and unit.

Every step is reported before it is done, and skipped if it is already done. So a change of folders or of the version is
applied by installing again.
"""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.configuration import stored_overrides
from daemon.configuration.config import Config, load, parse_text
from daemon.machine import environment, unit
from daemon.version import VERSION
from index.errors import ComparImgError, StoreError, UsageError
from index.messages import Message, of_os_error

USER: Final = "comparimg"
RUNS_SYSTEMD: Final = Path("/run/systemd/system")
COMMAND_LIMIT_S: Final = 120.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of an installed service. `data_dir` is None if the default one is used."""

    is_system: bool
    environment: Path
    config: Path
    unit: Path
    command: Path
    share: Path
    data_dir: Path | None

    @classmethod
    def of_system(cls, root: Path = Path("/")) -> "Places":
        return cls(
            True,
            root / "opt/comparimg",
            root / "etc/comparimg/comparimg.toml",
            root / "etc/systemd/system" / unit.NAME,
            root / "usr/local/bin/comparimg-ctl",
            root / "usr/local/share",
            root / "var/lib/comparimg",
        )

    @classmethod
    def of_user(cls, home: Path) -> "Places":
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        share = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
        return cls(
            False,
            share / "comparimg/venv",
            config / "comparimg/comparimg.toml",
            config / "systemd/user" / unit.NAME,
            home / ".local/bin/comparimg-ctl",
            share,
            None,
        )


class Installation:
    """The steps of an installation. With `dry_run` they are only reported."""

    def __init__(
        self, places: Places, report: Report, dry_run: bool = False, shared: Mapping[str, str] | None = None
    ) -> None:
        """`shared` has the texts of the manual page and the completions, by their paths below `places.share`."""
        self._places = places
        self._shared = shared or {}
        self._report = report
        self._dry_run = dry_run

    def install(self, photos: Sequence[Path], user: str = "") -> None:
        """Install or update the service. Raises ConfigError, UsageError and ComparImgError."""
        places = self._places
        self._require_rights()
        text = self._configuration(photos)
        config = self._effective(self._checked(text))
        owner = self._owner(config, user) if places.is_system else ""
        plan = unit.UnitOptions(
            python=str(self._environment() / "bin/python"),
            config=str(places.config),
            user=owner,
            writable=writable_folders(config),
            protected=tuple(root.path for root in config.watch if root.protected),
        )
        if owner:
            self._ensure_user(owner)
        self._link(plan.python)
        self._write_shell_files()
        self._write(places.config, text, 0o640, owner)
        self._write(places.unit, unit.render(plan), 0o644)
        self._examine()
        self._start()

    def uninstall(self) -> None:
        """Remove the service and its environment. Configuration, index, trash and every photograph stay."""
        places = self._places
        self._require_rights()
        if not places.unit.exists() and not environment.version_in(places.environment):
            self._report("nothing is installed")
            return
        if places.unit.exists():
            if self._has_systemd():
                self._do("stop and disable the service", lambda: self._systemctl("disable", "--now", unit.NAME))
            self._do(f"remove {places.unit}", places.unit.unlink)
            if self._has_systemd():
                self._do("have systemd forget it", lambda: self._systemctl("daemon-reload"))
        if environment.version_in(places.environment):
            ours = places.environment / "bin" / "comparimg-ctl"
            if places.command.is_symlink() and Path(os.readlink(places.command)) == ours:
                self._do(f"remove {places.command}", places.command.unlink)
                self._remove_shell_files()
            self._do(f"remove {places.environment}", lambda: environment.remove(places.environment))
        left = [str(place) for place in (places.config, places.data_dir) if place is not None and place.exists()]
        if left:
            self._report(f"kept: {', '.join(left)}, and every photograph and trash")

    # Steps

    def _require_rights(self) -> None:
        if self._places.is_system and os.geteuid() != 0 and not self._dry_run:
            raise UsageError("ctl.root_only")

    def _environment(self) -> Path:
        """The environment of the service: a new one if this runs from a checkout, otherwise the present one."""
        if not environment.is_checkout():
            self._report(f"the program stays in {sys.prefix} (version {VERSION})")
            return Path(sys.prefix)
        target = self._places.environment
        before = environment.version_in(target)
        versions = f"{before} -> {VERSION}" if before else VERSION
        self._do(
            f"make the environment {target} (version {versions})",
            lambda: environment.build(target, environment.base_python()),
        )
        return target

    def _link(self, python: str) -> None:
        """Link the command where a shell finds it, unless another file has that name."""
        command, target = self._places.command, Path(python).with_name("comparimg-ctl")
        if not environment.is_checkout() or os.path.realpath(command) == os.path.realpath(target):
            return
        if os.path.lexists(command) and not command.is_symlink():
            self._report(f"{command} is something else, and left alone")
            return

        def link() -> None:
            command.parent.mkdir(parents=True, exist_ok=True)
            command.unlink(missing_ok=True)
            command.symlink_to(target)

        self._do(f"link {command}", link)

    def _write_shell_files(self) -> None:
        """Write the manual page and the completions of the shells. A distribution package has its own."""
        if environment.is_checkout():
            for place, text in self._shared.items():
                self._write(self._places.share / place, text, 0o644, shown=False)

    def _remove_shell_files(self) -> None:
        for place in self._shared:
            path = self._places.share / place
            if path.is_file():
                self._do(f"remove {path}", path.unlink)

    def _configuration(self, photos: Sequence[Path]) -> str:
        """The text of the configuration: the existing one, with new folders appended."""
        places = self._places
        try:
            text = places.config.read_text("utf-8")
        except FileNotFoundError:
            text = "# docs/configuration.md describes every key; comparimg-ctl config show lists them.\n"
            if places.data_dir is not None:
                text += f"\n[daemon]\ndata_dir = {json.dumps(str(places.data_dir))}\n"
        except OSError as error:
            raise ComparImgError("ctl.unreadable", path=places.config, error=of_os_error(error)) from error
        known = {os.path.realpath(root.path) for root in self._checked(text).watch}
        for folder in photos:
            path = os.path.abspath(os.path.expanduser(folder))
            if not os.path.isdir(path):
                raise UsageError("config.photos_missing", path=path, field="photos")
            if os.fsencode(os.path.realpath(path)) not in known:
                text += f"\n[[watch]]\npath = {_toml(path)}\n"
        return text

    def _checked(self, text: str) -> Config:
        """The configuration that a text would give. The text is not written yet."""
        return parse_text(text, self._places.config)

    def _effective(self, config: Config) -> Config:
        """The configuration with the folders that were set up on the page, which must be writable, too."""
        try:
            return stored_overrides.effective(config)
        except StoreError as error:
            self._report(f"{error}: what was set up on the page is left out of the unit")
            return config

    def _owner(self, config: Config, user: str) -> str:
        """The user of the service: the one named, else the owner of the photographs, else a separate system user."""
        if user:
            if user != USER:
                _uid(user)
            return user
        for root in config.watch:
            try:
                owner = os.stat(root.path).st_uid
            except OSError:
                continue
            if owner != 0:
                return pwd.getpwuid(owner).pw_name
        return USER

    def _ensure_user(self, name: str) -> None:
        try:
            _uid(name)
        except UsageError:
            home = str(self._places.data_dir)
            self._do(
                f"make the system user {name}",
                lambda: _run("useradd", "--system", "--home-dir", home, "--shell", "/usr/sbin/nologin", name),
            )

    def _write(self, target: Path, text: str, mode: int, group_of: str = "", *, shown: bool = True) -> None:
        """Write a file atomically, unless it already has this text. A dry run shows the text if `shown` is true."""
        if target.exists() and target.read_text("utf-8") == text:
            self._report(f"{target} is right already")
            return

        def write() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(target.name + ".partial")
            partial.write_text(text, "utf-8")
            before = target.stat() if target.exists() else None
            partial.chmod(stat.S_IMODE(before.st_mode) if before else mode)
            if before:
                os.chown(partial, before.st_uid, before.st_gid)
            elif group_of:
                os.chown(partial, 0, pwd.getpwnam(group_of).pw_gid)
            partial.replace(target)

        self._do(f"write {target}", write)
        if self._dry_run and shown:
            self._report(text)

    def _examine(self) -> None:
        """Report what systemd-analyze says about the unit, if it is installed."""
        if self._dry_run or shutil.which("systemd-analyze") is None:
            return
        scope = [] if self._places.is_system else ["--user"]
        for question in (["verify"], ["security", "--offline=true", "--no-pager"]):
            ended = _run("systemd-analyze", *scope, *question, str(self._places.unit), check=False)
            lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
            if question == ["verify"]:
                result = "nothing wrong with it" if ended.returncode == 0 and not lines else "; ".join(lines)
            else:
                result = next(
                    (line.strip(" →") for line in lines if "exposure" in line), lines[-1] if lines else "nothing"
                )
            self._report(f"systemd-analyze {question[0]}: {result}")

    def _start(self) -> None:
        if not self._has_systemd():
            reason = "systemd does not run here" if self._places.is_system else "your systemd cannot be reached"
            self._report(f"{reason}: nothing was started")
            return
        self._do("have systemd read the unit", lambda: self._systemctl("daemon-reload"))
        self._do("enable the service at boot", lambda: self._systemctl("enable", unit.NAME))
        self._do("start or restart it", lambda: self._systemctl("restart", unit.NAME))
        if not self._places.is_system:
            self._do("let it run while you are not logged in", lambda: _run("loginctl", "enable-linger", check=False))

    def _has_systemd(self) -> bool:
        if not RUNS_SYSTEMD.is_dir() or shutil.which("systemctl") is None:
            return False
        # The user's service manager runs after a login, but not after su.
        return self._places.is_system or _run("systemctl", "--user", "show-environment", check=False).returncode == 0

    def _systemctl(self, *arguments: str) -> None:
        _run("systemctl", *([] if self._places.is_system else ["--user"]), *arguments)

    def _do(self, description: str, step: Callable[[], object]) -> None:
        self._report(f"would {description}" if self._dry_run else description)
        if not self._dry_run:
            step()


def writable_folders(config: Config) -> tuple[bytes, ...]:
    """The folders in which files may be moved, replaced or trashed."""
    roots = [root.path for root in config.watch if not root.protected]
    return tuple(sorted({*roots, *config.sort.destinations.values()}))


def installed(places: Places) -> Config | None:
    """The configuration of the installed service, None if there is none. Raises ConfigError."""
    return load(places.config) if places.unit.exists() else None


def state(places: Places) -> dict[str, str]:
    """The properties of the installed service in systemd; empty if systemd does not run."""
    if not RUNS_SYSTEMD.is_dir() or shutil.which("systemctl") is None:
        return {}
    wanted = "ActiveState,SubState,StatusText,MainPID,NRestarts,ActiveEnterTimestamp,UnitFileState,Result,MemoryCurrent"
    scope = [] if places.is_system else ["--user"]
    output = _run("systemctl", *scope, "show", unit.NAME, f"--property={wanted}", check=False).stdout
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageError("ctl.no_user", name=name, field="as") from None


def _toml(path: str) -> str:
    """A path as a TOML string. Raises UsageError if it is not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UsageError("ctl.path_no_utf8", path=path, field="photos") from None
    return json.dumps(path, ensure_ascii=False).replace("\x7f", "\\u007f")


def _run(*command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ComparImgError("ctl.command_not_run", command=command[0], error=error) from error
    if check and ended.returncode:
        raise ComparImgError(
            "ctl.command_failed",
            command=" ".join(command),
            error=(ended.stderr or ended.stdout).strip(),
            hint=Message("ctl.journal_hint") if command[0] == "systemctl" else None,
        )
    return ended
