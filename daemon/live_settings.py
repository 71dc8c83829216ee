"""The settings that can be changed while the service runs: the configuration, with overrides applied.

Any thread. The overrides are rows of the index; nothing is cached here.
"""

from collections.abc import Mapping
from typing import Any

from daemon.configuration import protected_folders
from daemon.configuration.config import Config, describe, origin, to_json
from daemon.configuration.overridden import overridden
from daemon.files.protected_paths import Claim
from daemon.jobs.sort import SortSettings
from daemon.jobs.sort_plan import Companions
from index.database.records.folder_overrides import read_destinations, read_roots
from index.database.records.setting_overrides import change_overrides, read_overrides
from index.database.store import Store
from index.messages import Message
from index.model import Depth, DetectParameters, Method, default_tolerance
from index.settings import BY_KEY, Setting, merge
from webui.services import EffectiveSetting


class LiveSettings:
    """The settings, as the page and the jobs read them and the page changes them."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Replace the configuration below the overrides."""
        self._config = config
        self._configured = config.values()

    def configured(self) -> Config:
        """The configuration without the changes made while the service runs."""
        return self._config

    def effective(self) -> Config:
        """The configuration with the watched folders and destinations that were added or changed while the service
        runs."""
        with self._store.read() as database:
            return overridden(self._config, read_roots(database), read_destinations(database))

    def overrides(self) -> dict[str, Any]:
        """The present overrides, by key."""
        with self._store.read() as database:
            return read_overrides(database)

    def all_settings(self) -> list[EffectiveSetting]:
        """Every present setting except those of the watched folders. For a secret, only whether it is set."""
        overrides = self.overrides()
        rows = describe(self.effective(), overrides)
        hsize = merge(self._configured, overrides)["detect.hsize"]
        return [_effective(BY_KEY[row["key"]], row, hsize) for row in rows if row["key"] in BY_KEY]

    def change(self, changes: Mapping[str, Any]) -> None:
        """Override these settings; None restores the value of the configuration. If it raises UsageError, none is
        changed."""
        self._store.write(lambda database: change_overrides(database, self._configured, changes))

    def detect_parameters(self) -> DetectParameters:
        """The parameters of a detection that does not override any."""
        overrides = self.overrides()
        values = merge(self._configured, overrides)
        is_given = origin("detect.tolerance", self.effective(), overrides) != "default"
        return DetectParameters(
            algorithm=values["detect.algorithm"],
            hsize=values["detect.hsize"],
            tolerance=values["detect.tolerance"],
            turns=values["detect.turns"],
            verify=values["detect.verify"],
            depth=Depth(values["detect.depth"]),
            method=Method(values["detect.method"]),
            sized_for=-1 if is_given else 0,
        )

    def values(self) -> Mapping[str, Any]:
        """Every present value, by its key."""
        return merge(self._configured, self.overrides())

    def destinations(self) -> Mapping[str, bytes]:
        """The folders that images may be moved to, by name."""
        return dict(self.effective().sort.destinations)

    def retention_days(self) -> float:
        """The age below which files stay in the trash when it is emptied."""
        return float(self._config.sort.retention)

    def claims(self) -> list[Claim]:
        """What other configurations that can be found protect. Raises ConfigError."""
        return protected_folders.claims(self._config.source, self._config.daemon.data_dir)

    def sorting(self) -> SortSettings:
        """The settings of a sort job."""
        sort = self._config.sort
        settle_s = self._config.daemon.settle_s
        return SortSettings(
            self.destinations(), Companions(sort.companions), settle_s, sort.carry_metadata, self.claims
        )

    def keeper_criteria(self) -> tuple[str, ...]:
        """The criteria by which the keeper of a group is proposed, highest priority first."""
        return tuple(merge(self._configured, self.overrides())["sort.rules"])


def _effective(definition: Setting, row: Mapping[str, Any], hsize: int) -> EffectiveSetting:
    default, accepted, maximum = definition.default, definition.accepted, definition.maximum
    if definition.key == "detect.tolerance":
        default, accepted, maximum = (
            default_tolerance(hsize),
            Message("accepted.range", least=0, most=hsize**2),
            hsize**2,
        )
    return EffectiveSetting(
        key=definition.key,
        type=definition.type,
        value=row["value"],
        default=to_json(default),
        origin=row["origin"],
        accepted=accepted,
        help=definition.help,
        live=definition.live,
        choices=definition.choices,
        minimum=definition.minimum,
        maximum=maximum,
    )
