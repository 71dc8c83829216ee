"""PURE: what is worth telling of what happened, when, and in which words."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from index.records.news import Happened, Mark

EVENTS: Final = ("groups", "jobs", "problems", "roots")
FORMAT: Final = "comparimg-notice/1"
# What happens together is told together: one detection makes many groups, one cable takes several folders.
GATHER_S: Final = 30.0
# A job that failed or a folder that is gone does not wait for the digest, but does not flood either.
URGENT_EVERY_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Notice:
    """What to tell: events as plain data, in words by language, and whether it may wait."""

    events: tuple[dict[str, Any], ...]
    summary: Mapping[str, str]
    urgent: bool


def notice_of(mark: Mark, happened: Happened, wanted: Collection[str]) -> Notice | None:
    """The notice of everything since a mark, None where nothing wanted happened."""
    events: list[dict[str, Any]] = []
    english: list[str] = []
    french: list[str] = []
    urgent = False
    if "roots" in wanted:
        for root in happened.roots:
            before = mark.roots.get(root.path, "online")
            if before != root.state:
                events.append({"event": "root", **asdict(root)})
                urgent = urgent or root.state == "offline"
                reason = f" ({root.reason})" if root.reason else ""
                english.append(f"{root.path} is {root.state}{reason}")
                french.append(f"{root.path} est {'hors' if root.state == 'offline' else 'en'} ligne{reason}")
    if "jobs" in wanted and happened.jobs:
        events += [{"event": "job", **asdict(job)} for job in happened.jobs]
        failed = [job for job in happened.jobs if job.state == "failed"]
        done = len(happened.jobs) - len(failed) + happened.more_jobs
        urgent = urgent or bool(failed)
        english += [f"a {job.kind} job failed: {job.error}" for job in failed]
        french += [f"une tâche {job.kind} a échoué : {job.error}" for job in failed]
        if done:
            english.append(f"{done} {_plural(done, 'job', 'jobs')} done")
            french.append(f"{done} {_plural(done, 'tâche terminée', 'tâches terminées')}")
    if "groups" in wanted and happened.groups:
        events.append(
            {"event": "groups", "changed": happened.groups, "total": happened.groups_total,
             "reclaimable_bytes": happened.reclaimable_bytes}
        )  # fmt: skip
        count, total = happened.groups, happened.groups_total
        english.append(f"{count} {_plural(count, 'group', 'groups')} of duplicates new or changed, {total} in all")
        french.append(f"{count} {_plural(count, 'groupe de doublons nouveau ou modifié', 'groupes de doublons nouveaux ou modifiés')}, {total} en tout")  # noqa: E501
    if "problems" in wanted and happened.problems:
        count = sum(happened.problems.values())
        events.append({"event": "problems", "new": count, "reasons": dict(happened.problems)})
        english.append(f"{count} {_plural(count, 'file', 'files')} could not be read")
        french.append(f"{count} {_plural(count, 'fichier illisible', 'fichiers illisibles')}")
    if not events:
        return None
    return Notice(tuple(events), {"en": "; ".join(english), "fr": " ; ".join(french)}, urgent)


def wait_s(first_s: float, sent_s: float, now_s: float, interval_s: float, urgent: bool) -> float:
    """How long a notice still waits: its first event was at `first_s`, the last notice went out at `sent_s`."""
    pause_s = min(interval_s, URGENT_EVERY_S) if urgent else interval_s
    return max(0.0, first_s + GATHER_S - now_s, sent_s + pause_s - now_s)


def payload(notice: Notice, host: str, version: str, at: str, address: str, is_test: bool = False) -> dict[str, Any]:
    """The notice as the JSON that programs and web hooks are given."""
    return {
        "format": FORMAT,
        "test": is_test,
        "host": host,
        "version": version,
        "at": at,
        "address": address,
        "summary": dict(notice.summary),
        "urgent": notice.urgent,
        "events": list(notice.events),
    }


TEST: Final = Notice(
    (), {"en": "This is a test of ComparImg's notices.", "fr": "Ceci est un essai des avis de ComparImg."}, urgent=False
)


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
