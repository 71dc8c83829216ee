"""A worker's side of one connection: does the tasks it is sent, in its own processes, within the limits it was given.

The worker checks the service as strictly as the service checks a worker: only messages of known types, only valid
views, no paths.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from daemon.processes.worker_pool import Outcome, WorkerLimits, WorkerPool, WorkersUnavailable
from daemon.remote_workers import wire
from daemon.remote_workers.lendable import WORKS, Work, abilities, done
from daemon.remote_workers.scratch import Scratch
from daemon.version import VERSION

log = logging.getLogger(__name__)

# Answers that come within this time are sent together. The last answer of a batch is sent at once.
GATHER_S: Final = 0.25
GATHER_BYTES: Final = wire.MOST_BYTES_FROM_WORKER // 2
# More batches than the service sends ahead (see borrower).
BATCHES: Final = 64


class Refused(Exception):
    """The service does not let this worker in. `reason` is a word; `version` is the version of the service."""

    def __init__(self, reason: str, version: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.version = version


class Session:
    """One connection, from its first message to its last."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, processes: int, scratch: Path | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._processes = processes
        self._scratch_parent = scratch
        self._loop = asyncio.get_running_loop()

    async def run(self, welcomed: Callable[[], None]) -> None:
        """Run until the connection ends. Raises Refused, OSError (also for a silent service) and EOFError."""
        self._write(wire.Hello(wire.PROTOCOL, VERSION, self._processes, abilities()))
        first = wire.of_service(await asyncio.wait_for(self._read(), wire.HELLO_S))
        if isinstance(first, wire.Refused):
            raise Refused(first.reason, first.version)
        if not isinstance(first, wire.Welcome):
            raise ConnectionError("the service did not answer")
        welcomed()
        limits = WorkerLimits(first.time_limit_s, first.memory_bytes)
        # Models run in separate processes, as in the service.
        with closing(Scratch(self._scratch_parent)) as scratch, WorkerPool(self._processes, limits) as pool:
            work = _Worker(pool, scratch, self._write_soon)
            beating = asyncio.create_task(self._beat())
            try:
                await self._handle(work)
            finally:
                beating.cancel()
                pool.close()
                work.close()

    async def _handle(self, work: "_Worker") -> None:
        while True:
            message = wire.of_service(await self._read())
            if isinstance(message, wire.Refused):
                raise Refused(message.reason, message.version)
            if isinstance(message, wire.Batch):
                work.start(message)

    async def _read(self) -> bytes:
        header = await asyncio.wait_for(self._reader.readexactly(wire.LENGTH.size), wire.SILENCE_S)
        (length,) = wire.LENGTH.unpack(header)
        if length > wire.MOST_BYTES_TO_WORKER:
            raise ConnectionError("a message that is too long")
        return await asyncio.wait_for(self._reader.readexactly(length), wire.SILENCE_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(wire.BEAT_S)
            self._write(wire.Heartbeat())

    def _write(self, message: wire.FromWorker) -> None:
        self._writer.write(wire.framed(wire.encode(message)))

    def _write_soon(self, message: wire.FromWorker) -> None:
        """Like `_write`, but from another thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._write, message)


class _Worker:
    """Does batches, each in a thread that waits for the processes."""

    def __init__(self, pool: WorkerPool, scratch: Scratch, send: Callable[[wire.FromWorker], None]) -> None:
        self._pool = pool
        self._scratch = scratch
        self._send = send
        self._threads = ThreadPoolExecutor(BATCHES, "comparimg-batch")
        self._closed = threading.Event()

    def start(self, batch: wire.Batch) -> None:
        """Start a batch. Its views are stored at once: the next batch may need them."""
        work = WORKS.get(batch.work)
        if work is None:
            self._send(wire.Unfit(f"no such work: {batch.work}"[:200]))
            return
        try:
            paths = self._scratch.add(batch.views)
        except OSError as error:
            self._send(wire.Unfit(f"views cannot be kept: {error}"[:200]))
        except ValueError as error:
            places = range(min(len(batch.tasks), wire.MOST_ANSWERS))
            self._send(wire.Answers(tuple(wire.Failed(batch.number, place, str(error)[:200]) for place in places)))
        else:
            self._threads.submit(self._do, batch, work, paths)

    def close(self) -> None:
        """Call it after the pool is closed, which ends every batch."""
        self._closed.set()
        self._threads.shutdown(cancel_futures=True)

    def _do(self, batch: wire.Batch, work: Work, paths: list[str]) -> None:
        try:
            self._run(batch, work, paths)
        except WorkersUnavailable as error:
            if not self._closed.is_set():
                self._send(wire.Unfit(str(error)[:200]))
        except Exception:
            log.exception("a batch was not done")
            self._send(wire.Unfit("see the log of the worker"))
        finally:
            self._scratch.release(paths)

    def _run(self, batch: wire.Batch, work: Work, paths: list[str]) -> None:
        items: list[tuple[int, Any]] = []
        gathered: list[wire.Done | wire.Failed] = []
        for number, data in enumerate(batch.tasks):
            try:
                items.append((number, work.task(data, paths)))
            except ValueError as error:
                gathered.append(wire.Failed(batch.number, number, f"not understood: {error}"[:200]))
        sent_s, size_bytes = time.monotonic(), 0
        with closing(self._pool.run(partial(done, (work.function, work.value)), items)) as outcomes:
            for outcome in outcomes:
                answer = _answer(batch.number, outcome)
                size_bytes += len(answer.value) if isinstance(answer, wire.Done) else 0
                if gathered and (time.monotonic() - sent_s > GATHER_S or size_bytes > GATHER_BYTES):
                    self._send(wire.Answers(tuple(gathered)))
                    gathered, sent_s, size_bytes = [], time.monotonic(), 0
                gathered.append(answer)
        if gathered:
            self._send(wire.Answers(tuple(gathered)))


def _answer(batch: int, outcome: Outcome[tuple[int, Any], bytes]) -> wire.Done | wire.Failed:
    number, _ = outcome.item
    if outcome.failure is not None:
        return wire.Failed(batch, number, outcome.failure.reason[:200])
    return wire.Done(batch, number, outcome.value or b"")
