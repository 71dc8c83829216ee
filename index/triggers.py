"""PURE: parses the trigger of a schedule: five cron fields, or "every 6h".

REST checks triggers and the daemon's scheduler runs them; both parse them here.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from index.errors import UsageError
from index.messages import Message

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# A job every few seconds would leave no time for any other job.
SHORTEST_INTERVAL_S = 10
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
ACCEPTED = Message("trigger.accepted")
LEAP_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


def parse_trigger(text: str) -> BaseTrigger:
    """The trigger in a text. Cron fields are in local time; an interval is independent of time zones.

    Raises UsageError, with the accepted forms.
    """
    fields = text.split()
    try:
        if len(fields) == 2 and fields[0] == "every":
            return _interval(fields[1])
        *most, weekday = fields
        # A job that runs every hour, or every few minutes, also runs in the hour that is repeated when clocks are set
        # back.
        kind = CronTrigger if fields[1:2] and fields[1].startswith("*") else _OnceTrigger
        trigger = kind.from_crontab(" ".join([*most, _weekdays(weekday)]), SYSTEM)
    except ValueError as error:
        raise UsageError("trigger.invalid", text=text, accepted=ACCEPTED, field="trigger") from error
    if not _has_a_day(trigger):
        raise UsageError("trigger.never", text=text, field="trigger")
    return trigger


class SystemTimezone(tzinfo):
    """Local time as the C library defines it, and therefore as every other program on this machine has it.

    TZ may have rules instead of a name ("CET-1CEST") or be invalid, and /etc/timezone may name another zone than
    /etc/localtime, as in a container that was given the file of its host.
    """

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return None if at is None else at.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, at: datetime | None) -> timedelta | None:
        return None if at is None else timedelta(0)

    def tzname(self, at: datetime | None) -> str:
        return "system" if at is None else str(at.replace(tzinfo=None).astimezone().tzname())

    def fromutc(self, at: datetime) -> datetime:
        local = at.replace(tzinfo=UTC).astimezone()
        here = local.replace(tzinfo=self)
        # When clocks are set back, an hour is repeated. This is its second occurrence.
        return here if here.utcoffset() == local.utcoffset() else here.replace(fold=1)


# One instance for all: in a repeated hour, times with two different zone objects never compare equal.
SYSTEM = SystemTimezone()


class _OnceTrigger(CronTrigger):  # type: ignore[misc]
    """A cron trigger that fires only once in an hour that is repeated when clocks are set back: the first time."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        due: datetime | None = super().get_next_fire_time(previous, now)
        while due is not None and due.astimezone(UTC).astimezone(self.timezone).fold:
            due = super().get_next_fire_time(due, due)
        return due


def _has_a_day(trigger: CronTrigger) -> bool:
    """Whether any date has the day and the month of a trigger. For 31 February, APScheduler would search every year up
    to 9999, for seconds and at each start."""
    fields = [field for field in trigger.fields if field.name in ("month", "day")]
    dates = (LEAP_YEAR + timedelta(days=number) for number in range(366))
    return any(all(field.get_next_value(date) == field.get_value(date) for field in fields) for date in dates)


def _interval(word: str) -> IntervalTrigger:
    match = re.fullmatch(r"(\d{1,6})([smhd])", word)
    if not match or int(match[1]) * UNITS_S[match[2]] < SHORTEST_INTERVAL_S:
        raise ValueError(word)
    return IntervalTrigger(seconds=int(match[1]) * UNITS_S[match[2]], timezone=UTC)


def _weekdays(field: str) -> str:
    """The weekday field with numbers replaced by names: cron counts weekdays from Sunday, APScheduler from Monday."""

    def names(match: re.Match[str]) -> str:
        first, last = int(match[1]), int(match[2] or match[1])
        return ",".join(WEEKDAYS[first : last + 1]) or match[0]

    return re.sub(r"(?<![/\w])([0-7])(?:-([0-7]))?(?![\w/])", names, field)
