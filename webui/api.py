"""The table of every REST route: the app registers it, OpenAPI tells it."""

from webui import (
    api_batches,
    api_calibration,
    api_compressions,
    api_decisions,
    api_groups,
    api_images,
    api_jobs,
    api_notices,
    api_rules,
    api_schedules,
    api_settings,
    api_statistics,
    api_status,
    api_verdicts,
    metrics,
)

ROUTES = (
    *api_status.ROUTES,
    *api_statistics.ROUTES,
    *api_groups.ROUTES,
    *api_calibration.ROUTES,
    *api_decisions.ROUTES,
    *api_rules.ROUTES,
    *api_batches.ROUTES,
    *api_compressions.ROUTES,
    *api_images.ROUTES,
    *api_jobs.ROUTES,
    *api_notices.ROUTES,
    *api_schedules.ROUTES,
    *api_settings.ROUTES,
    *api_verdicts.ROUTES,
    *metrics.ROUTES,
)
