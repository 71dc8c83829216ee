"""PURE: which events become a notice, the text of the notice, and how long it waits."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from index.messages import LANGUAGES, Message, fields, joined, render, sentences
from index.model import EndedJob, EventSummary, NoticeWatermark, RootStatus

EVENTS: Final = ("groups", "jobs", "problems", "roots", "rules")
FORMAT: Final = "comparimg-notice/1"
# Events close together share a notice: a detection makes many groups, one cable takes several folders offline.
GATHER_S: Final = 30.0
# Failed jobs and offline folders do not wait for the digest, but their notices are rate-limited.
URGENT_EVERY_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Events as plain data, their text, and whether the notice is urgent."""

    events: tuple[dict[str, Any], ...]
    summary: Message
    urgent: bool


def notice_of(watermark: NoticeWatermark, summary: EventSummary, wanted: Collection[str]) -> Notice | None:
    """The notice of the events since a watermark, None if none of them is of a wanted kind."""
    events: list[dict[str, Any]] = []
    messages: list[Message] = []
    urgent = False
    if "roots" in wanted:
        for root in summary.roots:
            if watermark.roots.get(root.path, "online") != root.state:
                reason = fields("reason", root.reason, LANGUAGES[0], nothing="")
                events.append({"event": "root", "path": root.path, "state": root.state, **reason})
                urgent = urgent or root.state == "offline"
                messages.append(_of_root(root))
    if "jobs" in wanted and summary.jobs:
        events += [_event_of_job(job) for job in summary.jobs]
        failed = [job for job in summary.jobs if job.state == "failed"]
        done = len(summary.jobs) - len(failed) + summary.more_jobs
        urgent = urgent or bool(failed)
        messages += [Message("notice.job_failed", kind=job.kind, problem=job.error or "") for job in failed]
        if done:
            messages.append(Message("notice.jobs_done", n=done))
    if "groups" in wanted and summary.groups:
        events.append(
            {"event": "groups", "changed": summary.groups, "total": summary.groups_total,
             "reclaimable_bytes": summary.reclaimable_bytes}
        )  # fmt: skip
        messages.append(Message("notice.groups", n=summary.groups, total=summary.groups_total))
    if "rules" in wanted:
        events += [{"event": "rule", **asdict(rule)} for rule in summary.rules]
        messages += [Message("notice.rule", name=rule.name, n=rule.groups) for rule in summary.rules]
    if "problems" in wanted and summary.problems:
        count = sum(summary.problems.values())
        events.append({"event": "problems", "new": count, "reasons": dict(summary.problems)})
        messages.append(Message("notice.problems", n=count))
    if not events:
        return None
    return Notice(tuple(events), joined("notice.joined", messages), urgent)


def _of_root(root: RootStatus) -> Message:
    if root.state != "offline":
        return Message("notice.root_online", path=root.path)
    if root.reason is None:
        return Message("notice.root_offline", path=root.path)
    return Message("notice.root_offline_because", path=root.path, problem=root.reason)


def _event_of_job(job: EndedJob) -> dict[str, Any]:
    plain = {"event": "job", **asdict(replace(job, error=None))}
    if asked := job.outcome.get("unconfirmed"):
        plain["outcome"]["unconfirmed"] = sentences(asked, LANGUAGES[0])
    return {**plain, **fields("error", job.error, LANGUAGES[0], nothing="")}


def wait_s(first_s: float, sent_s: float, now_s: float, interval_s: float, urgent: bool) -> float:
    """The seconds that a notice still waits. Its first event was at `first_s`; the last notice was sent at `sent_s`."""
    pause_s = min(interval_s, URGENT_EVERY_S) if urgent else interval_s
    return max(0.0, first_s + GATHER_S - now_s, sent_s + pause_s - now_s)


def payload(notice: Notice, host: str, version: str, at: str, address: str, is_test: bool = False) -> dict[str, Any]:
    """The notice as the JSON that programs and webhooks get."""
    return {
        "format": FORMAT,
        "test": is_test,
        "host": host,
        "version": version,
        "at": at,
        "address": address,
        "summary": {language: render(notice.summary, language) for language in LANGUAGES},
        "urgent": notice.urgent,
        "events": list(notice.events),
    }


TEST: Final = Notice((), Message("notice.test"), urgent=False)
