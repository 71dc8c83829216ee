"""The settings that may be changed while the service runs: the configuration's values with the overrides over them.

Any thread may ask. Nothing is held here: the overrides are rows of the index.
"""

from collections.abc import Mapping
from typing import Any

from daemon.configuration import protected
from daemon.configuration.config import Config, describe, plain
from daemon.files.grounds import Claim
from daemon.jobs.sort import SortSettings
from daemon.jobs.sort_plan import Companions
from index.model import Depth, DetectParameters, default_tolerance
from index.settings import BY_KEY, Setting, change_overrides, merge, read_overrides
from index.store import Store
from webui.services import SettingView


class LiveSettings:
    """What the page and the jobs are told of the settings, and where the page changes them."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take another configuration for the one below the overrides."""
        self._config = config
        self._configured = config.values()

    def overrides(self) -> dict[str, Any]:
        """What is overridden now, by key."""
        with self._store.read() as database:
            return read_overrides(database)

    def views(self) -> list[SettingView]:
        """Every setting as it is now, those of the watched folders apart; of a secret only whether it is set."""
        overrides = self.overrides()
        rows = describe(self._config, overrides)
        hsize = merge(self._configured, overrides)["detect.hsize"]
        return [_view(BY_KEY[row["key"]], row, hsize) for row in rows if row["key"] in BY_KEY]

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

    def values(self) -> Mapping[str, Any]:
        """Every value that holds, by its key."""
        return merge(self._configured, self.overrides())

    def destinations(self) -> Mapping[str, bytes]:
        """The folders that images may be moved to, by name."""
        return dict(self._config.sort.destinations)

    def retention_days(self) -> float:
        """For how long what is in the trash is spared when it is emptied."""
        return float(self._config.sort.retention)

    def claims(self) -> list[Claim]:
        """What other configurations that can be found protect. Raises ConfigError."""
        return protected.claims(self._config.source, self._config.daemon.data_dir)

    def sorting(self) -> SortSettings:
        """What a sort job runs with."""
        sort = self._config.sort
        settle_s = self._config.daemon.settle_s
        return SortSettings(
            self.destinations(), Companions(sort.companions), settle_s, sort.carry_metadata, self.claims
        )

    def keeper_criteria(self) -> tuple[str, ...]:
        """What decides which image of a group is proposed to be kept, the first first."""
        return tuple(merge(self._configured, self.overrides())["sort.rules"])


def _view(definition: Setting, row: Mapping[str, Any], hsize: int) -> SettingView:
    default, accepted, maximum = definition.default, definition.accepted, definition.maximum
    if definition.key == "detect.tolerance":
        default, accepted, maximum = default_tolerance(hsize), f"0 to {hsize**2}", hsize**2
    return SettingView(
        key=definition.key,
        type=definition.type,
        value=row["value"],
        default=plain(default),
        origin=row["origin"],
        accepted=accepted,
        help=definition.help,
        live=definition.live,
        choices=definition.choices,
        minimum=definition.minimum,
        maximum=maximum,
    )
