"""What differs between two configurations, and what of it can hold without a restart."""

from typing import Final

from daemon.configuration.config import Config

RESTART: Final = frozenset({"daemon.backups", "daemon.data_dir", "daemon.log_file", "web.host", "web.port"})
# Those that the parts at work are made with; the other keys are looked up when they are needed.
WORKSHOP: Final = frozenset(
    {
        "watch", "daemon.workers", "daemon.time_limit_s", "daemon.memory_mb", "daemon.max_megapixels",
        "daemon.settle_s", "daemon.poll_s", "daemon.scan_interval_h",
    }
)  # fmt: skip


def changed_keys(before: Config, after: Config) -> frozenset[str]:
    """The keys whose values differ; all of the watched folders are the one key `watch`."""
    old, new = before.values(), after.values()
    return frozenset(key for key in new if new[key] != old[key])


def needing_restart(before: Config, after: Config) -> tuple[str, ...]:
    """The changed keys that hold from the next start on only."""
    return tuple(sorted(changed_keys(before, after) & RESTART))
