"""Jobs that decide by a rule on many groups, or count what it would decide, in portions.

Until a job is done, none of its decisions counts as made: a job that is cancelled or fails undoes them, and one that a
crash or a stop interrupted starts again. Named rules and requests decide in the same portions without a job.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from peewee import SqliteDatabase

from daemon.jobs.progress import Context, Progress
from daemon.jobs.runner import Stopping
from index.database.queries import rule_application
from index.database.queries.bulk_decisions import BulkApplication, BulkEffect
from index.database.queries.group_filter import GroupFilter
from index.database.queries.rule_application import Application, Effect
from index.database.records import rule_runs
from index.database.records.jobs import RuleParameters
from index.database.store import Store
from index.errors import NoRoom
from index.imaging.grouping.rules import rule_of

log = logging.getLogger(__name__)


class RuleJobs:
    """Runs the jobs of rules. Used by the runner's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, context: Context, parameters: RuleParameters) -> Mapping[str, Any]:
        """Run one job. The outcome holds the effect of the rule, and the `order` by which it can be revoked."""
        rule = rule_of(parameters.rule)
        chosen = GroupFilter(root_id=parameters.root, path=os.fsencode(parameters.path))
        if parameters.dry_run:
            with self._store.read() as database:
                portions = rule_application.portions(database, rule, chosen)
            effect = Effect()
            count(
                self._store, context, portions, effect,
                lambda database, portion: rule_application.add_effect(database, rule, portion, effect),
            )  # fmt: skip
            return outcome(effect) | {"dry_run": True}
        application = Application(rule, chosen, time.time_ns(), job_id=context.job_id)
        return outcome(carry_out(self._store, context, application))

    def recover(self) -> None:
        """At start-up, before the runner: undo the runs that will not be repeated."""
        with self._store.read() as database:
            left = rule_runs.unfinished(database)
        for run_id in left:
            log.warning("the decisions of the interrupted run %d of a rule are revoked", run_id)
            rule_runs.roll_back(self._store.write, run_id)


def count(
    store: Store,
    context: Context,
    portions: Sequence[Sequence[Any]],
    effect: Effect | BulkEffect,
    add: Callable[[SqliteDatabase, Sequence[Any]], None],
) -> None:
    """Count all groups into an effect, to which `add` adds those of a portion, read in its own transaction."""
    effect.selected = effect.looked_at = sum(map(len, portions))
    context.begin("counting", effect.selected)
    for portion in portions:
        with store.read() as database:
            add(database, portion)
        context.advance(len(portion))


def carry_out(store: Store, context: Context, application: Application | BulkApplication) -> Any:
    """`decide` as a job, from the beginning: the decisions of an interrupted run of the job are undone first, and those
    of this run if it is cancelled or fails."""
    with store.read() as database:
        interrupted = rule_runs.unfinished(database, context.job_id)
    for run_id in interrupted:
        rule_runs.roll_back(store.write, run_id)
    try:
        return decide(store, context, application)
    except (Stopping, NoRoom):
        # The job goes back to the queue, and starts again.
        raise
    except Exception:
        application.roll_back(store.write)
        raise


def decide(store: Store, progress: Progress, application: Application | BulkApplication) -> Any:
    """Decide in portions, each in its own transaction. Returns the effect. If an error is raised in between, a part is
    decided."""
    portions: list[Any] = store.write(application.begin)
    progress.begin("deciding", application.effect.selected)
    for portion in portions:
        store.write(partial(application.decide, portion))
        progress.advance(len(portion))
    return store.write(application.end)


def outcome(effect: Effect) -> dict[str, Any]:
    """An effect as plain data, with surrogate-escaped paths."""

    def image(image_id: int, path: bytes) -> dict[str, Any]:
        return {"id": image_id, "path": os.fsdecode(path)}

    return {
        "groups": effect.groups,
        "images": effect.images,
        "bytes": effect.bytes,
        "undecided_ties": effect.undecided_ties,
        "by_criterion": dict(effect.by_criterion),
        "sample": [
            {
                "group": sampled.key,
                "keeper": image(*sampled.keeper),
                "victims": [image(*victim) for victim in sampled.victims],
                "decided_by": sampled.decided_by,
                "value": sampled.value,
            }
            for sampled in effect.sample
        ],
        "selected": effect.selected,
        "looked_at": effect.looked_at,
        "order": effect.run_id or None,
    }
