"""EDGE: determines the language of the console from the locale of this process."""

import os
from collections.abc import Mapping

from index.messages import nearest_language


def console_language(environ: Mapping[str, str] = os.environ) -> str:
    """Follow the C library: LC_ALL, then LC_MESSAGES, then LANG. The result is English unless there is a catalogue."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return nearest_language([locale.partition(".")[0]])
