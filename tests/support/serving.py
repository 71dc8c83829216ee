"""A configuration of a service over one folder, and waiting for what a service does on its own."""

import time
from collections.abc import Callable
from pathlib import Path

from daemon.configuration.config import Config, load

# A machine for tests may be busy with others; what never happens is reported late, and that is all it costs.
PATIENCE_S = 90.0
# Most looks are requests to a service that is at work: the longer it takes, the less often it is asked.
LOOK_S, RARELY_S, SLOWER = 0.01, 0.05, 1.2


def write_config(folder: Path, photos: Path, port: int = 0, workers: int = 1, settle_s: float = 0.2) -> Path:
    """A configuration file in `folder`; the index is next to it."""
    file = folder / "comparimg.toml"
    file.write_text(
        f'[daemon]\ndata_dir = "{folder}/data"\nworkers = {workers}\nsettle_s = {settle_s}\n'
        # A test that is not about the model does without: it costs each service a second.
        f'[detect]\nmethod = "hash"\n'
        f'[web]\nport = {port}\n[[watch]]\npath = "{photos}"\n'
    )
    return file


def config_over(folder: Path, photos: Path) -> Config:
    return load(write_config(folder, photos))


def until(happened: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Look again and again; the test fails when it does not happen."""
    end_s = time.monotonic() + patience_s
    look_s = LOOK_S
    while not happened():
        assert time.monotonic() < end_s, f"it did not happen within {patience_s} s"
        time.sleep(look_s)
        look_s = min(RARELY_S, SLOWER * look_s)
