"""Jobs that decide about all groups of a filter at once, or count what that would decide, in portions.

Until a job is done, none of its decisions counts as made: a job that is cancelled or fails undoes them, and one that a
crash or a stop interrupted starts again. Verdicts take effect at once, so they are revoked only if the job is cancelled
or fails; a restarted job continues with the remaining groups.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from daemon.jobs.progress import Context
from daemon.jobs.rule_jobs import carry_out, count
from index.database.queries import bulk_decisions
from index.database.queries.bulk_decisions import BulkApplication, BulkEffect, BulkRequest
from index.database.queries.group_filter import GroupFilter
from index.database.records.jobs import DecideParameters, GroupSelection
from index.database.store import Store


class BulkJobs:
    """Runs the jobs that decide about many groups. Used by the runner's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, context: Context, parameters: DecideParameters) -> Mapping[str, Any]:
        """Run one job. The outcome holds the effect, and the `order` or `batch` by which it can be revoked."""
        chosen = filter_of(parameters.chosen)
        request = BulkRequest(
            parameters.action, chosen, criteria=tuple(parameters.criteria), destination=parameters.destination
        )
        if parameters.dry_run:
            with self._store.read() as database:
                portions = bulk_decisions.portions(database, request)
            effect = BulkEffect()
            count(
                self._store, context, portions, effect,
                lambda database, portion: bulk_decisions.add_effect(database, request, portion, effect),
            )  # fmt: skip
            return outcome(effect) | {"dry_run": True}
        application = BulkApplication(request, time.time_ns(), context.job_id, parameters.batch)
        return outcome(carry_out(self._store, context, application))


def filter_of(chosen: GroupSelection) -> GroupFilter:
    return GroupFilter(
        tuple(chosen.kinds),
        chosen.root_id,
        os.fsencode(chosen.path),
        chosen.min_images,
        tuple(chosen.decided),
        chosen.search,
        chosen.scenes,
        chosen.taken_from,
        chosen.taken_until,
    )


def outcome(effect: BulkEffect) -> dict[str, Any]:
    """An effect as plain data, as in the answer of POST decisions/apply."""
    plain = asdict(effect)
    order, batch, clearing = plain.pop("run_id"), plain.pop("batch"), plain.pop("clearing")
    return {
        **plain,
        "kinds": dict(effect.kinds),
        "order": order or None,
        "batch": batch or None,
        "clearing": clearing or None,
    }
