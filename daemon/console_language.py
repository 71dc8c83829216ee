"""EDGE: the language of the console, by the locale that this process was started with."""

import os
from collections.abc import Mapping

from index.messages import nearest_language


def console_language(environ: Mapping[str, str] = os.environ) -> str:
    """As the C library finds it, LC_ALL before LC_MESSAGES before LANG: English unless there is a catalogue."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return nearest_language([locale.partition(".")[0]])
