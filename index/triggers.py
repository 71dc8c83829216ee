"""PURE: the words in which a schedule says when: five cron fields, or "every 6h".

The web part checks them and the daemon's clock obeys them; both read them here.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from index.errors import UsageError

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# A job every few seconds would only ever run itself.
SHORTEST_S = 10
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
ACCEPTED = 'five cron fields ("0 3 * * *" is every night at 3) or "every 30m", "every 6h", "every 2d"'


def parse_trigger(text: str) -> BaseTrigger:
    """The trigger that a text describes. Cron is in local time, for "nightly at 3"; an interval knows no time zone.

    Raises UsageError saying what is accepted.
    """
    words = text.split()
    try:
        if len(words) == 2 and words[0] == "every":
            return _interval(words[1])
        *most, weekday = words
        # What comes every hour, or every few minutes, does so in that hour as well.
        kind = CronTrigger if words[1:2] and words[1].startswith("*") else _OnceTrigger
        return kind.from_crontab(" ".join([*most, _weekdays(weekday)]), SYSTEM)
    except ValueError as error:
        raise UsageError(f"{text!r} is no trigger; accepted: {ACCEPTED}.", field="trigger") from error


class SystemZone(tzinfo):
    """Local time as the C library has it, and so every other program here.

    TZ may hold rules in place of a name ("CET-1CEST") or nonsense, and the name in /etc/timezone may be that of another
    zone than what stands in /etc/localtime, as in a container that was given that of its host.
    """

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return None if at is None else at.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, at: datetime | None) -> timedelta | None:
        return None if at is None else timedelta(0)

    def tzname(self, at: datetime | None) -> str:
        return "system" if at is None else str(at.replace(tzinfo=None).astimezone().tzname())

    def fromutc(self, at: datetime) -> datetime:
        told = at.replace(tzinfo=UTC).astimezone()
        here = told.replace(tzinfo=self)
        # The hour that comes twice when clocks are put back: the second one.
        return here if here.utcoffset() == told.utcoffset() else here.replace(fold=1)


# One for all: times of two zones are never the same in the hour that comes twice.
SYSTEM = SystemZone()


class _OnceTrigger(CronTrigger):  # type: ignore[misc]
    """A cron trigger that takes the first of the two when clocks are put back and an hour comes twice."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        due: datetime | None = super().get_next_fire_time(previous, now)
        while due is not None and due.astimezone(UTC).astimezone(self.timezone).fold:
            due = super().get_next_fire_time(due, due)
        return due


def _interval(word: str) -> IntervalTrigger:
    found = re.fullmatch(r"(\d{1,6})([smhd])", word)
    if not found or int(found[1]) * UNITS_S[found[2]] < SHORTEST_S:
        raise ValueError(word)
    return IntervalTrigger(seconds=int(found[1]) * UNITS_S[found[2]], timezone=UTC)


def _weekdays(field: str) -> str:
    """Cron counts weekdays from Sunday, APScheduler from Monday; names mean the same to both."""

    def names(found: re.Match[str]) -> str:
        first, last = int(found[1]), int(found[2] or found[1])
        return ",".join(WEEKDAYS[first : last + 1]) or found[0]

    return re.sub(r"(?<![/\w])([0-7])(?:-([0-7]))?(?![\w/])", names, field)
