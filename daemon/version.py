"""The version of this program, as its package says."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("comparimg")
except PackageNotFoundError:  # running from a checkout that was not installed
    VERSION = "0"
