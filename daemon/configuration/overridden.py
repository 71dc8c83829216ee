"""The configuration with the watched folders and destinations that were added or changed while the service runs.

The file always wins: its protection stays, and its destinations keep their names. An addition is left out if it is no
longer possible: because the data folder is in it now, or because the file itself has that folder.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from daemon.configuration.config import Config, WatchSection, destination_problem, root_problem
from index.database.records.folder_overrides import RootOverride
from index.messages import Message
from index.settings import BY_KEY

log = logging.getLogger(__name__)

DEFAULTS: Final[Mapping[str, Any]] = {
    key: BY_KEY[f"watch.{key}"].default for key in ("recursive", "exclude", "protected", "priority", "mode")
}


def overridden(
    config: Config, roots: Mapping[bytes, RootOverride], destinations: Mapping[str, bytes]
) -> Config:  # fmt: skip
    """The configuration in effect."""
    watch = [_changed(section, roots.get(section.path)) for section in config.watch]
    configured = {os.path.realpath(section.path) for section in watch}
    for path, override in sorted(roots.items()):
        if not override.added or os.path.realpath(path) in configured:
            continue
        section = section_of(path, override.values)
        if problem := root_problem(section, os.fsencode(config.daemon.data_dir)):
            log.warning("the folder %s, added on the page, is not watched: it %s", os.fsdecode(path), problem)
            continue
        watch.append(section)
    named = dict(config.sort.destinations)
    for name, folder in destinations.items():
        if problem := added_destination_problem(folder, config, watch):
            log.warning("the destination %s, added on the page, is not used: it %s", name, problem)
        elif name not in named:
            named[name] = folder
    return msgspec.structs.replace(
        config, watch=tuple(watch), sort=msgspec.structs.replace(config.sort, destinations=named)
    )


def added_destination_problem(folder: bytes, config: Config, watch: "list[WatchSection]") -> Message | None:
    """Why images cannot be moved to a folder, None if they can."""
    return destination_problem(folder, os.fsencode(config.daemon.data_dir), watch)


def section_of(path: bytes, values: Mapping[str, Any]) -> WatchSection:
    """A watched folder as a section of the configuration."""
    merged = {**DEFAULTS, **values}
    patterns = tuple(os.fsencode(pattern) for pattern in merged["exclude"])
    return WatchSection(**{**merged, "path": path, "exclude": patterns})


def _changed(section: WatchSection, override: RootOverride | None) -> WatchSection:
    if override is None:
        return section
    values = dict(override.values)
    if "exclude" in values:
        values["exclude"] = tuple(os.fsencode(pattern) for pattern in values["exclude"])
    values["protected"] = section.protected or values.get("protected", False)
    return msgspec.structs.replace(section, **values)
