"""The limits that fitting/places.py chose or judged, as they are shipped."""

import json
from pathlib import Path
from typing import Final

LIMITS_FILE: Final = Path(__file__).with_name("place_limits.json")
FITTED: Final[dict[str, float]] = json.loads(LIMITS_FILE.read_text("utf-8"))["limits"]
