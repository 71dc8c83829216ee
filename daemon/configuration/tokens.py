"""The access token: the configured one, or one that is generated once and stored next to the index.

It is never logged, and never passed as an argument of a program, which every user of the machine could read.
"""

import contextlib
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daemon.configuration.config import Config
from index.errors import StoreError, UsageError
from index.messages import of_os_error
from index.settings import BY_KEY, is_loopback

log = logging.getLogger(__name__)

FILE_NAME: Final = "token"
VARIABLE: Final = "COMPARIMG_TOKEN"
LENGTH_BYTES: Final = 24


def required(config: Config) -> str:
    """The token that a service with this configuration requires, "" if none. If others can reach its address, or a
    proxy names its users, a token is always required, and generated if there is none yet. Raises StoreError if it
    cannot be stored."""
    if config.web.token or not is_always_required(config):
        return config.web.token
    return stored(config.daemon.data_dir) or generate(config.daemon.data_dir)


def is_always_required(config: Config) -> bool:
    """Whether a token is required even if none is configured. Behind an authenticating proxy, a request that bypasses
    the proxy must not count as one of this machine's own users."""
    return bool(config.web.auth_header) or not is_loopback(config.web.host)


def client_token(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """The token that a program on this machine sends to that service. "" if there is none, or it cannot be read."""
    given = environ.get(VARIABLE) or config.web.token
    if given or not is_always_required(config):
        return given
    with contextlib.suppress(StoreError):
        return stored(config.daemon.data_dir)
    return ""


def stored(data_dir: Path) -> str:
    """The stored token, "" if there is none. Raises StoreError if it cannot be read."""
    file = data_dir / FILE_NAME
    try:
        token = file.read_text("ascii").strip()
        if file.stat().st_mode & 0o077:
            log.warning("other users could read %s: from now on only its owner can", file)
            file.chmod(0o600)
        return token if BY_KEY["web.token"].check(token) else ""
    except (FileNotFoundError, UsageError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError("token.unreadable", file=file, error=error) from error


def generate(data_dir: Path) -> str:
    """A new token, stored so that only its owner can read it; the previous one becomes invalid. Raises StoreError."""
    token = secrets.token_urlsafe(LENGTH_BYTES)
    target = data_dir / FILE_NAME
    partial = target.with_suffix(".partial")
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        # Created with its final mode, and not through a link.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
        give_to_owner_of(data_dir, partial)
        partial.replace(target)
    except OSError as error:
        raise StoreError("token.not_kept", file=target, error=of_os_error(error)) from error
    return token


def renew(config: Config) -> str:
    """Replace the stored token by a new one. Raises UsageError if the configuration sets one."""
    if config.web.token:
        raise UsageError("token.configured", file=config.source)
    return generate(config.daemon.data_dir)


def give_to_owner_of(folder: Path, file: Path) -> None:
    """Give a file that root created to the user of the service, who must be able to read it."""
    owner = folder.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)
