"""Rules about images, and the SQLite file. Imports nothing of daemon or webui."""

import sys

if sys.platform == "win32":
    from index import posix_on_windows

    posix_on_windows.install()
