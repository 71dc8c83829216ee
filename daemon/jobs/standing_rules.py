"""Runs the named rules that run after each detection: they decide, and apply nothing."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.jobs.progress import Progress
from daemon.jobs.rule_jobs import decide
from daemon.jobs.runner import Stopping
from index.database.queries.group_filter import GroupFilter
from index.database.queries.rule_application import Application, Effect
from index.database.records import named_rules, rule_runs
from index.database.records.named_rules import NamedRule
from index.database.store import Store
from index.errors import Cancelled
from index.model import Choice

log = logging.getLogger(__name__)


class StandingRules:
    """Applies the rules to the groups that are new or changed since each last ran, and in which nothing is decided."""

    def __init__(
        self, store: Store, criteria: Callable[[], Sequence[str]], destinations: Callable[[], Mapping[str, bytes]]
    ) -> None:
        self._store = store
        self._criteria = criteria
        self._destinations = destinations

    def after(self, handler: Callable[[Any, Any], Mapping[str, Any]]) -> Callable[[Any, Any], Mapping[str, Any]]:
        """A job's handler with the rules run after it. The outcome has the number of groups they `decided`."""

        def run(context: Any, parameters: Any) -> Mapping[str, Any]:
            outcome = handler(context, parameters)
            decided = self.run(context)
            return {**outcome, "decided": decided} if decided else outcome

        return run

    def run(self, progress: Progress) -> int:
        """Run all rules that are due, one after the other by name. Returns how many groups they decided. If the job
        ends early, its work before the rules stays done: the remaining rules run after the next job."""
        with self._store.read() as database:
            due = [named for named in named_rules.all_rules(database) if named.after_detection]
        decided = 0
        try:
            for named in due:
                decided += self._apply(progress, named)
        except (Cancelled, Stopping):
            log.info("the rules that were not run are run after the next detection")
        return decided

    def _apply(self, progress: Progress, named: NamedRule) -> int:
        rule = named.rule
        if rule.choice is Choice.MOVE and rule.destination not in self._destinations():
            log.warning("the rule %r is not run: there is no destination %r", named.name, rule.destination)
            return 0
        if rule.criteria is None:
            rule = replace(rule, criteria=tuple(self._criteria()))
        now_ns = time.time_ns()
        # An image that returns from the trash joins a group in which the others were kept.
        decided = ("none", "partly") if rule.trashed_before else ("none",)
        chosen = GroupFilter(
            root_id=named.root_id, path=named.path, decided=decided, changed_after_ns=named.considered_ns
        )
        application = Application(rule, chosen, now_ns, named.name)
        try:
            effect: Effect = decide(self._store, progress, application)
        except Exception:
            application.roll_back(self._store.write)
            raise

        def end(database: Any) -> None:
            named_rules.set_considered(database, named.id, now_ns)
            if not effect.groups:
                rule_runs.drop_empty(database, effect.run_id)

        self._store.write(end)
        if effect.groups:
            log.info("the rule %r decided %d groups: %d images", named.name, effect.groups, effect.images)
        return effect.groups
