"""Unreadable files are read again when the decoders change: another version, or one that can be loaded now."""

import logging

from daemon.processes.worker_pool import WorkerPool, WorkersUnavailable
from index.database.records import decoder_set
from index.database.store import Store
from index.errors import PictureError
from index.imaging.decoding import decoders

log = logging.getLogger(__name__)


def reread_failures(store: Store, pool: WorkerPool) -> int:
    """If the decoders have changed, mark every unreadable file to be read again. Returns the number of these files. A
    worker process reports which decoders can be loaded."""
    try:
        found = pool.call(decoders.decoder_set, None)
    except (PictureError, WorkersUnavailable) as error:
        log.warning("the decoders cannot be examined: %s", error)
        return 0
    return store.write(lambda database: decoder_set.reread_failures(database, found))
