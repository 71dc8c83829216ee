"""EDGE: the doctor's check of the model, by the last attempt of the service to use it and by its file as it is now."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

from daemon.configuration.config import DEFAULT_MODEL, Config
from daemon.machine.checks import Finding, Grade
from index.database.records import vectors
from index.messages import Message, of_json
from index.model import Method

QUERY = (
    "SELECT path, dimensions, milliseconds, failure, checked_ns,"
    " (SELECT value FROM setting WHERE key = 'detect.method') FROM embedding_model"
)


def model(config: Config) -> Iterator[Finding]:
    """Whether the model can be used. Nothing is reported before a service has checked one."""
    address = f"file:{quote(os.fsencode(config.daemon.data_dir / 'index.sqlite3'))}?mode=ro"
    row = None
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
        row = database.execute(QUERY).fetchone()
    if row is None:
        return
    path, _, _, _, checked_ns, _ = row
    file = "" if config.model.file == DEFAULT_MODEL else os.path.abspath(os.path.expanduser(config.model.file))
    named = file or DEFAULT_MODEL
    try:
        changed = bool(file) and os.stat(file).st_ctime_ns > checked_ns
    except FileNotFoundError:
        remedy = Message("doctor.model_gone_remedy")
        yield Finding("model", Grade.WARNING, Message("doctor.model_gone", file=file), remedy)
        return
    except OSError:
        changed = False
    if path != file or changed:
        # What is known is about another file.
        remedy = Message("doctor.model_unchecked_remedy", file=named)
        yield Finding("model", Grade.NOTE, Message("doctor.model_unchecked", file=named), remedy)
    else:
        yield _as_checked(config, row, named)


def _as_checked(config: Config, row: Any, named: str) -> Finding:
    """What the service found about the model."""
    _, dimensions, milliseconds, failure, _, setting = row
    if problem := of_json(failure):
        remedy = Message("doctor.model_fails_remedy", file=named)
        return Finding("model", Grade.WARNING, Message("doctor.model_fails", problem=problem), remedy)
    # The setting of the page overrides the configuration.
    method = config.detect.method if setting is None else json.loads(setting)
    if milliseconds > vectors.MOST_MILLISECONDS and method == Method.AUTO:
        limit = round(vectors.MOST_MILLISECONDS)
        slow = Message("doctor.model_slow", milliseconds=round(milliseconds), limit=limit)
        return Finding("model", Grade.NOTE, slow, Message("doctor.model_slow_remedy"))
    usable = Message("doctor.model", dimensions=dimensions, milliseconds=round(milliseconds))
    return Finding("model", Grade.GOOD, usable)
