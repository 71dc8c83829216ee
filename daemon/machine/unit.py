"""PURE: the systemd unit of the service, for the whole system or for one user, hardened as far as either can be.

Nothing in it is guessed at run time: the folders that may be written are those of the configuration, so that it is
written anew (comparimg-ctl service install) when those change.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NAME = "comparimg.service"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the unit depends on. `user` is "" for a user's own unit; `writable` are the folders in which files are
    moved, `protected` those that must stay as they are, wherever they lie."""

    python: str
    config: str
    user: str = ""
    writable: tuple[bytes, ...] = ()
    protected: tuple[bytes, ...] = ()

    @property
    def is_system(self) -> bool:
        return bool(self.user)


def render(plan: Plan) -> str:
    """The text of the unit."""
    parts = [HEADER, _service(plan), SYSTEM if plan.is_system else "", EVERYWHERE, _install(plan)]
    return "\n".join(part for part in parts if part)


def _service(plan: Plan) -> str:
    lines = [
        "[Service]",
        "# It says itself when it is ready, how it is, and that it truly works; silent for a minute, it starts anew.",
        "Type=notify",
        "WatchdogSec=60",
        f"ExecStart={_quoted(plan.python.encode())} -I -m daemon --config {_quoted(plan.config.encode())}",
        # The shell's own kill: a small system has no other.
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
        "Restart=on-failure",
        "RestartSec=10",
        "# 2 is a wrong configuration, which does not mend itself.",
        "RestartPreventExitStatus=2",
        "TimeoutStopSec=60",
        "Environment=NUMBA_CACHE_DIR=%C/comparimg PYTHONUNBUFFERED=1",
        "CacheDirectory=comparimg",
    ]
    if plan.is_system:
        lines += [
            "StateDirectory=comparimg",
            "StateDirectoryMode=0700",
            f"User={plan.user}",
            "",
            "# Everything is read-only but the index and these folders: the trash lies in them, and so does what is",
            "# compressed. Protected folders stay read-only wherever they lie. One that is not there is passed over.",
            "ProtectSystem=strict",
            f"ProtectHome={'read-only' if _reads_home(plan) else 'yes'}",
            *(f"ReadWritePaths={_quoted(b'-' + path)}" for path in plan.writable),
            *(f"ReadOnlyPaths={_quoted(b'-' + path)}" for path in plan.protected),
        ]
    return "\n".join(lines) + "\n"


def _install(plan: Plan) -> str:
    return f"[Install]\nWantedBy={'multi-user.target' if plan.is_system else 'default.target'}\n"


def _reads_home(plan: Plan) -> bool:
    homes = (b"/home/", b"/root/", b"/run/user/")
    return any((path + b"/").startswith(homes) for path in (*plan.writable, *plan.protected)) or any(
        place.encode().startswith(homes) for place in (plan.python, plan.config)
    )


def _quoted(path: bytes) -> str:
    """A path as systemd.syntax(7) has it: what is not plain written out, and a % doubled, which begins a specifier."""
    plain = "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in b"\"'\\$;" else f"\\x{byte:02x}" for byte in path
    ).replace("%", "%%")
    return f'"{plain}"' if "\\" in plain else plain


def paths_of(text: str, key: str) -> list[str]:
    """The values that a unit gives to a key, for whoever compares it with the configuration."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def path_lines(paths: Iterable[bytes]) -> list[str]:
    """Those paths as `paths_of` finds them in a unit that was rendered with them."""
    return [_quoted(b"-" + path) for path in paths]


HEADER = """\
# Written by comparimg-ctl service install, and written anew when it runs again: changes of your own belong into
# a drop-in (systemctl edit comparimg).
[Unit]
Description=ComparImg: finds duplicate photographs and loses none
After=local-fs.target remote-fs.target network.target
# However often it fails: a disk comes back, and a file that ends it is found out by its third time.
StartLimitIntervalSec=0
"""

# What needs a mount namespace or a privilege, which a user's manager cannot count on.
SYSTEM = """\
# It has no capability, sees no device and no other user's process, and reaches nobody but over IP and Unix sockets.
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
# What a decoder that runs wild may take of the machine, above the limits that it has itself.
OOMPolicy=continue
TasksMax=512
"""

# MemoryDenyWriteExecute is left out: the compiled search is made at run time, and without it takes eight times as long.
EVERYWHERE = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# An error and not the end: libraries try some of these, and do without.
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallFilter=@chown
# What it writes beside photographs is to be read like them; the index lies in a folder of its own.
UMask=0022
KeyringMode=private
LimitNOFILE=65536

# Everything else on the machine goes first.
Nice=10
IOSchedulingClass=idle
CPUWeight=20
IOWeight=20
OOMScoreAdjust=500
"""
