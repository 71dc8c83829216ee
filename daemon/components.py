"""The versions of what ComparImg runs on, by the metadata of packages: no decoder is loaded for it."""

import sqlite3
import sys
from importlib import metadata
from typing import Final

# Each library by its usual name, and the package that brings it. pi-heif-decoder contains libheif.
PACKAGES: Final = {
    "NumPy": "numpy",
    "OpenCV": "opencv-python-headless",
    "Pillow": "pillow",
    "pi-heif-decoder": "pi-heif-decoder",
    "pillow-jxl-plugin": "pillow-jxl-plugin",
    "onnxruntime": "onnxruntime",
    "jpegli": "pyjpegli",
}


def component_versions() -> dict[str, str]:
    """The version of each component that is installed, by its name."""
    versions = {"Python": ".".join(map(str, sys.version_info[:3])), "SQLite": sqlite3.sqlite_version}
    for name, package in PACKAGES.items():
        try:
            versions[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
