"""PURE: the systemd unit of the service, for the whole system or for one user, hardened as far as each allows.

The unit is static: it lists the writable folders of the configuration. When these change, it must be written again
(comparimg-ctl service install).
"""

from collections.abc import Iterable
from dataclasses import dataclass

NAME = "comparimg.service"


@dataclass(frozen=True, slots=True)
class UnitOptions:
    """The parameters of the unit. `user` is "" for a user's own unit. `writable` are the folders in which files are
    moved. `protected` are folders that must not be changed, even inside writable ones."""

    python: str
    config: str
    user: str = ""
    writable: tuple[bytes, ...] = ()
    protected: tuple[bytes, ...] = ()

    @property
    def is_system(self) -> bool:
        return bool(self.user)


def render(options: UnitOptions) -> str:
    """The text of the unit."""
    parts = [HEADER, _service(options), SYSTEM if options.is_system else "", EVERYWHERE, _install(options)]
    return "\n".join(part for part in parts if part)


def _service(options: UnitOptions) -> str:
    lines = [
        "[Service]",
        "# It says itself when it is ready, how it is, and that it truly works; silent for a minute, it is restarted.",
        "Type=notify",
        "WatchdogSec=60",
        f"ExecStart={_quoted(options.python.encode())} -I -m daemon --config {_quoted(options.config.encode())}",
        # kill is built into the shell; minimal systems have no other.
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
        "Restart=on-failure",
        "RestartSec=10",
        "# 2 is a wrong configuration, which no restart corrects.",
        "RestartPreventExitStatus=2",
        "TimeoutStopSec=60",
        "Environment=NUMBA_CACHE_DIR=%C/comparimg PYTHONUNBUFFERED=1",
        "CacheDirectory=comparimg",
    ]
    if options.is_system:
        lines += [
            "StateDirectory=comparimg",
            "StateDirectoryMode=0700",
            f"User={options.user}",
            "",
            "# Everything is read-only except the index and these folders, which also contain the trash and compressed",
            "# files. Protected folders are always read-only. A missing folder is skipped.",
            "ProtectSystem=strict",
            f"ProtectHome={'read-only' if _needs_home(options) else 'yes'}",
            *(f"ReadWritePaths={_quoted(b'-' + path)}" for path in options.writable),
            *(f"ReadOnlyPaths={_quoted(b'-' + path)}" for path in options.protected),
        ]
    return "\n".join(lines) + "\n"


def _install(options: UnitOptions) -> str:
    return f"[Install]\nWantedBy={'multi-user.target' if options.is_system else 'default.target'}\n"


def _needs_home(options: UnitOptions) -> bool:
    homes = (b"/home/", b"/root/", b"/run/user/")
    return any((path + b"/").startswith(homes) for path in (*options.writable, *options.protected)) or any(
        place.encode().startswith(homes) for place in (options.python, options.config)
    )


def _quoted(path: bytes) -> str:
    """Quote a path as in systemd.syntax(7): special characters are escaped, and % is doubled, since it begins a
    specifier."""
    plain = "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in b"\"'\\$;" else f"\\x{byte:02x}" for byte in path
    ).replace("%", "%%")
    return f'"{plain}"' if "\\" in plain else plain


def paths_of(text: str, key: str) -> list[str]:
    """The values of a key in a unit, to compare them with the configuration."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def path_lines(paths: Iterable[bytes]) -> list[str]:
    """The paths in the form in which `paths_of` finds them in a rendered unit."""
    return [_quoted(b"-" + path) for path in paths]


HEADER = """\
# Written by comparimg-ctl service install, and overwritten each time it runs: put your own changes into
# a drop-in (systemctl edit comparimg).
[Unit]
Description=ComparImg: finds duplicate photographs and loses none
After=local-fs.target remote-fs.target network.target
# Restart however often it fails: a disk may come back, and a file that crashes it is skipped after three crashes.
StartLimitIntervalSec=0
"""

# Options that need a mount namespace or a privilege. A user's service manager may lack both.
SYSTEM = """\
# It has no capability, sees no device and no other user's process, and communicates only over IP and Unix sockets.
CapabilityBoundingSet=
AmbientCapabilities=
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RemoveIPC=yes
# Limits for a decoder that gets out of control, in addition to its own limits.
OOMPolicy=continue
TasksMax=512
"""

# MemoryDenyWriteExecute is not used: the search is compiled at run time, and without that it takes eight times as long.
EVERYWHERE = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# Return an error instead of killing: libraries try some of these calls, and can do without.
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallFilter=@chown
# The process that listens to other machines gives up its access to files.
SystemCallFilter=landlock_create_ruleset landlock_restrict_self
# Files written next to photographs must be as readable as these. The index has its own private folder.
UMask=0022
KeyringMode=private
LimitNOFILE=65536

# Everything else on the machine has priority.
Nice=10
IOSchedulingClass=idle
CPUWeight=20
IOWeight=20
OOMScoreAdjust=500
"""
