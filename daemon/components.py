"""The versions of the libraries in use, from the metadata of their packages: no decoder is loaded for this."""

import sqlite3
import sys
from importlib import metadata
from typing import Final

# The usual name of each library, and the package that contains it. pi-heif-decoder contains libheif.
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
    """The version of each installed component, by its name."""
    versions = {"Python": ".".join(map(str, sys.version_info[:3])), "SQLite": sqlite3.sqlite_version}
    for name, package in PACKAGES.items():
        try:
            versions[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
