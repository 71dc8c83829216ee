"""The table of every REST route: the app registers it, OpenAPI tells it."""

from webui import metrics
from webui.api import (
    batches,
    calibration,
    compressions,
    decisions,
    disks,
    groups,
    images,
    jobs,
    notices,
    rules,
    schedules,
    settings,
    statistics,
    status,
    verdicts,
)

ROUTES = (
    *status.ROUTES,
    *disks.ROUTES,
    *statistics.ROUTES,
    *groups.ROUTES,
    *calibration.ROUTES,
    *decisions.ROUTES,
    *rules.ROUTES,
    *batches.ROUTES,
    *compressions.ROUTES,
    *images.ROUTES,
    *jobs.ROUTES,
    *notices.ROUTES,
    *schedules.ROUTES,
    *settings.ROUTES,
    *verdicts.ROUTES,
    *metrics.ROUTES,
)
