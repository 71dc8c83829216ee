"""The token that lets people and programs in: the configured one, or one that is made once and kept beside the index.

It is never logged and never an argument of a program, where every user of the machine could read it.
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
from index.settings import BY_KEY, is_loopback

log = logging.getLogger(__name__)

FILE_NAME: Final = "token"
VARIABLE: Final = "COMPARIMG_TOKEN"
LENGTH_BYTES: Final = 24


def required(config: Config) -> str:
    """What a service with this configuration asks for, "" where it asks for nothing. On an address that others can
    reach there is always one: made now, where there was none before. Raises StoreError where it cannot be kept."""
    if config.web.token or is_loopback(config.web.host):
        return config.web.token
    return kept(config.daemon.data_dir) or make(config.daemon.data_dir)


def to_send(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """What a program on this machine shows to that service; "" where it knows of none, or may not read it."""
    given = environ.get(VARIABLE) or config.web.token
    if given or is_loopback(config.web.host):
        return given
    with contextlib.suppress(StoreError):
        return kept(config.daemon.data_dir)
    return ""


def kept(data_dir: Path) -> str:
    """The token that was made before, "" where none was. Raises StoreError where it may not be read."""
    file = data_dir / FILE_NAME
    try:
        token = file.read_text("ascii").strip()
        if file.stat().st_mode & 0o077:
            log.warning("others could read %s: only its owner may from now on", file)
            file.chmod(0o600)
        return token if BY_KEY["web.token"].check(token) else ""
    except (FileNotFoundError, UsageError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"The token in {file} cannot be read: {error}.", "Ask as the user of the service, or as root."
        ) from error


def make(data_dir: Path) -> str:
    """A new token, kept for its user's eyes only; the one before opens nothing any more. Raises StoreError."""
    token = secrets.token_urlsafe(LENGTH_BYTES)
    target = data_dir / FILE_NAME
    partial = target.with_suffix(".partial")
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        # Of its mode from the first moment on, and never through a link that somebody laid.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
        _give_to_owner_of(data_dir, partial)
        partial.replace(target)
    except OSError as error:
        raise StoreError(f"The token cannot be kept in {target}: {error.strerror}.") from error
    return token


def renew(config: Config) -> str:
    """A new token in place of the kept one. Raises UsageError where the configuration has one of its own."""
    if config.web.token:
        raise UsageError(
            f"The token stands in {config.source}.", "Change token under [web] there, and reload the service."
        )
    return make(config.daemon.data_dir)


def _give_to_owner_of(folder: Path, file: Path) -> None:
    """Made by root, it shall be read by the service's own user."""
    owner = folder.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)
