"""The settings that may be changed while the service runs: the configuration's values with the overrides over them.

Any thread may ask. Nothing is held here: the overrides are rows of the index.
"""

from collections.abc import Mapping
from typing import Any

from daemon.config import Config, origin
from index.model import Depth, DetectParameters
from index.settings import LIVE, change_overrides, default_tolerance, merge, read_overrides
from index.store import Store
from webui.services import SettingView


class LiveSettings:
    """What the page and the jobs are told of the settings, and where the page changes them."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._configured = config.values()

    def overrides(self) -> dict[str, Any]:
        """What is overridden now, by key."""
        with self._store.read() as database:
            return read_overrides(database)

    def views(self) -> list[SettingView]:
        """Every setting that may be changed, as it is now."""
        overrides = self.overrides()
        values = merge(self._configured, overrides)
        hsize = values["detect.hsize"]
        views = []
        for one in LIVE:
            default, accepted, maximum = one.default, one.accepted, one.maximum
            if one.key == "detect.tolerance":
                default, accepted, maximum = default_tolerance(hsize), f"0 to {hsize**2}", hsize**2
            views.append(
                SettingView(
                    one.key, one.type, values[one.key], default, origin(one.key, self._config, overrides), accepted,
                    one.help, one.choices, one.minimum, maximum,
                )
            )
        return views

    def change(self, changes: Mapping[str, Any]) -> None:
        """Override these settings; None goes back to the configuration's value. Raises UsageError, then none is."""
        self._store.write(lambda database: change_overrides(database, self._configured, changes))

    def detect_parameters(self) -> DetectParameters:
        """What a detection runs with that asks for nothing else."""
        values = merge(self._configured, self.overrides())
        return DetectParameters(
            algorithm=values["detect.algorithm"],
            hsize=values["detect.hsize"],
            tolerance=values["detect.tolerance"],
            turns=values["detect.turns"],
            verify=values["detect.verify"],
            depth=Depth(values["detect.depth"]),
        )
