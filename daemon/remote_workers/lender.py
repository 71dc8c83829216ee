"""Lends tasks to other machines: runs the process that listens, and keeps track of the connections.

The thread comparimg-lender starts the process, reads its messages, keeps the list of machines that are let in up to
date, and ends connections that are silent, overdue or send nonsense. If the process dies, all lent tasks return to
their queues, and the process is started again.
"""

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from daemon.processes.task_queue import TaskQueue
from daemon.processes.worker_pool import WorkerLimits
from daemon.remote_workers import wire
from daemon.remote_workers.borrower import Borrower, InvalidAnswer
from daemon.remote_workers.gate import FINGERPRINT_BYTES, FromGate, ToGate
from daemon.remote_workers.gate_process import GateDied, GateMessage, GateProcess
from daemon.remote_workers.invitation import address_text
from daemon.remote_workers.lendable import WORKS, Work
from daemon.remote_workers.roster import AUTHORITY, LIST, SERVICE, Invited, Roster
from daemon.version import VERSION
from index.errors import StoreError
from index.messages import Message, of_os_error
from webui.services import Lending, RemoteWorker

log = logging.getLogger(__name__)

# How often the list, the silence of connections and the limits are checked.
TICK_S: Final = 0.5
# The pause before the process is started again, and before the address is tried again.
RESTART_S: Final = 2.0
# The additional time that a machine has beyond the limit of a task: for the network, and to start its processes.
GRACE_S: Final = 15.0
# How long a machine that failed at its tasks is kept out.
PAUSES_S: Final[Mapping[str, float]] = {
    "lending.unfit": 30.0, "lending.overdue": 60.0, "lending.nonsense": 300.0, "lending.version": 5.0,
}  # fmt: skip


@dataclass(slots=True)
class _Connection:
    fingerprint: str
    address: str
    since_s: float
    since_ns: int
    borrower: Borrower | None = None


@dataclass(slots=True)
class _Known:
    """What is remembered about a machine while it is disconnected."""

    address: str = ""
    processes: int = 0
    done: Counter[str] = field(default_factory=Counter)
    came_home: int = 0
    problem: Message | None = None
    paused_until_s: float = 0.0


class Lender:
    """Everything that is lent to other machines, from `start` to `stop`."""

    def __init__(
        self,
        address: tuple[str, int],
        lend: Collection[str],
        roster: Roster,
        limits: WorkerLimits,
        queues: Sequence[TaskQueue],
    ) -> None:
        """`lend` has the names of works, `limits` the limits of each task, and `queues` the queues that tasks are taken
        from."""
        self._host, self._port = address
        self._lend = tuple(name for name in WORKS if name in lend)
        self._works: dict[Callable[[Any], Any], Work] = {WORKS[name].function: WORKS[name] for name in self._lend}
        self._roster = roster
        self._welcome = wire.Welcome(limits.time_limit_s, limits.memory_bytes)
        self._overdue_s = limits.time_limit_s + GRACE_S
        self._queues = queues
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comparimg-lender")
        self._lock = threading.Lock()
        # Guarded by the lock, since other threads read it.
        self._connections: dict[int, _Connection] = {}
        self._known: dict[str, _Known] = {}
        self._invited: dict[str, Invited] = {}
        self._problem: Message | None = None
        self._listening = self._isolated = False
        # Used by the lender's thread only.
        self._gate: GateProcess | None = None
        self._seen: tuple[int, ...] = ()
        self._ended: list[Borrower] = []
        self._gate_heard_s = self._beat_s = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End every connection and the process. Lent tasks return to their queues."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def gate_pid(self) -> int | None:
        """The process id of the gate."""
        gate = self._gate
        return None if gate is None else gate.process.pid

    def status(self) -> Lending:
        """The state of all machines. Any thread."""
        with self._lock:
            connected = {one.fingerprint: one for one in self._connections.values() if one.borrower}
            workers = [self._worker(entry, connected.get(entry.fingerprint)) for entry in self._invited.values()]
            state = self._listening, self._isolated, self._problem
        home: Counter[str] = Counter()
        for queue in self._queues:
            for function, count in queue.done_at_home().items():
                if function in self._works:
                    home[self._works[function].name] += count
        return Lending(
            address_text(self._host, self._port),
            self._lend,
            *state,
            workers=workers,
            home_processes=self._queues[0].home_hands if self._queues else 0,
            home_done=dict(home),
        )

    def _worker(self, entry: Invited, connection: _Connection | None) -> RemoteWorker:
        known = self._known.get(entry.fingerprint, _Known())
        borrower = connection.borrower if connection else None
        done, came_home = Counter(known.done), known.came_home
        if borrower is not None:
            done += borrower.done
            came_home += borrower.came_home
        return RemoteWorker(
            name=entry.name,
            invited_ns=entry.invited_ns,
            connected_ns=None if connection is None else connection.since_ns,
            address=connection.address if connection else known.address,
            processes=borrower.processes if borrower else known.processes,
            away=borrower.away if borrower else 0,
            done=dict(done),
            came_home=came_home,
            problem=None if borrower else known.problem,
        )

    # In the lender's thread

    def _run(self) -> None:
        listening: socket.socket | None = None
        try:
            while not self._stopping.is_set():
                try:
                    if self._roster.exists:
                        listening = listening or self._listen()
                        self._session(listening)
                    else:
                        self._note(Message("lending.not_invited_yet"))
                except (GateDied, StoreError, OSError) as error:
                    self._note(_problem(error))
                    log.warning("nothing is lent to other machines for now: %s", self._problem)
                finally:
                    self._end_session()
                self._stopping.wait(RESTART_S)
        finally:
            if listening is not None:
                listening.close()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.create_server((self._host, self._port), family=family, backlog=32)
        self._port = listening.getsockname()[1]
        return listening

    def _session(self, listening: socket.socket) -> None:
        """Run one gate process from its start to its end. Raises GateDied, StoreError and OSError."""
        gate = GateProcess(listening, self._roster.read(AUTHORITY), self._roster.read(SERVICE))
        self._gate, self._seen = gate, ()
        self._gate_heard_s = self._beat_s = time.monotonic()
        while not self._stopping.is_set():
            self._update_list(gate)
            for message in gate.receive(TICK_S):
                self._gate_heard_s = time.monotonic()
                self._handle_message(message)
            self._tick(gate)

    def _end_session(self) -> None:
        gate, self._gate = self._gate, None
        with self._lock:
            self._listening = False
            numbers = list(self._connections)
        for number in numbers:
            self._forget(number)
        if gate is not None:
            gate.kill()
        for borrower in self._ended:
            borrower.join()
        self._ended.clear()

    def _update_list(self, gate: GateProcess) -> None:
        """Send the gate the list of machines that are let in, if it has changed. The gate disconnects all others."""
        seen = _identity(self._roster)
        if seen == self._seen:
            return
        invited = {entry.fingerprint: entry for entry in self._roster.invited()}
        gate.send(ToGate.ALLOW, payload=b"".join(map(bytes.fromhex, invited)))
        self._seen = seen
        with self._lock:
            self._invited = invited
            self._known = {key: known for key, known in self._known.items() if key in invited}
            gone = [number for number, one in self._connections.items() if one.fingerprint not in invited]
        for number in gone:
            self._forget(number)

    def _tick(self, gate: GateProcess) -> None:
        now_s = time.monotonic()
        if now_s - self._gate_heard_s > wire.SILENCE_S:
            raise GateDied("it hangs")
        for number, connection in list(self._connections.items()):
            borrower = connection.borrower
            if borrower is None:
                if now_s - connection.since_s > wire.HELLO_S:
                    self._drop(number)
            elif now_s - borrower.heard_s > wire.SILENCE_S:
                self._drop(number, Message("lending.silent"))
            elif borrower.away and now_s - borrower.answered_s > self._overdue_s:
                self._drop(number, Message("lending.overdue"))
        if now_s - self._beat_s > wire.BEAT_S:
            self._beat_s = now_s
            gate.send(ToGate.ALIVE)
            for number, connection in self._connections.items():
                if connection.borrower is not None:
                    self._send(number, wire.Heartbeat())
        self._ended = [one for one in self._ended if not one.joined]

    def _handle_message(self, message: GateMessage) -> None:
        match message.what:
            case FromGate.READY:
                with self._lock:
                    self._listening, self._isolated, self._problem = True, message.payload == b"1", None
                log.info("other machines can connect to %s", address_text(self._host, self._port))
            case FromGate.OPENED:
                self._open(message)
            case FromGate.FRAME:
                self._read(message)
            case FromGate.CLOSED:
                self._forget(message.connection)
            case FromGate.ALIVE:
                pass

    def _open(self, message: GateMessage) -> None:
        fingerprint = message.payload[:FINGERPRINT_BYTES].hex()
        address = message.payload[FINGERPRINT_BYTES:].decode("ascii", "replace")[:100]
        now_s = time.monotonic()
        known = self._known.get(fingerprint)
        if fingerprint not in self._invited or (known is not None and known.paused_until_s > now_s):
            self._close(message.connection)
            return
        # A machine that connects again has lost its earlier connection, even if that was not noticed.
        for number, other in list(self._connections.items()):
            if other.fingerprint == fingerprint:
                self._drop(number)
        with self._lock:
            self._connections[message.connection] = _Connection(fingerprint, address, now_s, time.time_ns())

    def _read(self, frame: GateMessage) -> None:
        """Read a message of a machine. An invalid one ends the connection, and has no other effect."""
        connection = self._connections.get(frame.connection)
        if connection is None:
            return
        try:
            message = wire.of_worker(frame.payload)
            if isinstance(message, wire.Hello) and connection.borrower is None:
                self._greet(frame.connection, connection, message)
            elif connection.borrower is None or isinstance(message, wire.Hello):
                raise InvalidAnswer("a hello was expected, once")
            else:
                self._take(frame.connection, connection.borrower, message)
        except (ValueError, InvalidAnswer) as error:
            self._drop(frame.connection, Message("lending.nonsense", problem=error))

    def _take(self, number: int, borrower: Borrower, message: wire.FromWorker) -> None:
        borrower.heard_s = time.monotonic()
        if isinstance(message, wire.Answers):
            borrower.take_answers(message.answers)
        elif isinstance(message, wire.Unfit):
            self._drop(number, Message("lending.unfit", problem=message.problem))

    def _greet(self, number: int, connection: _Connection, hello: wire.Hello) -> None:
        if (hello.protocol, hello.version) != (wire.PROTOCOL, VERSION):
            self._send(number, wire.Refused("version", VERSION))
            self._drop(number, Message("lending.version", version=hello.version, own=VERSION))
            return
        entry = self._invited[connection.fingerprint]
        borrower = Borrower(entry.name, hello, self._works, lambda message: self._send(number, message))
        with self._lock:
            connection.borrower = borrower
            known = self._known.setdefault(connection.fingerprint, _Known())
            known.problem = None
        self._send(number, self._welcome)
        log.info("%s is connected from %s, with %d processes", entry.name, connection.address, hello.processes)
        borrower.start(self._queues)

    def _send(self, number: int, message: wire.FromService) -> None:
        gate = self._gate
        if gate is not None:
            # The death of the gate is noticed when its messages are read.
            with suppress(GateDied):
                gate.send(ToGate.FRAME, number, wire.encode(message))

    def _close(self, number: int) -> None:
        gate = self._gate
        if gate is not None:
            with suppress(GateDied):
                gate.send(ToGate.CLOSE, number)

    def _drop(self, number: int, problem: Message | None = None) -> None:
        """Disconnect a machine, and remember why."""
        self._close(number)
        self._forget(number, problem)

    def _forget(self, number: int, problem: Message | None = None) -> None:
        """Handle the end of a connection: the tasks it was lent are done here."""
        with self._lock:
            connection = self._connections.pop(number, None)
            if connection is None:
                return
            known = self._known.setdefault(connection.fingerprint, _Known())
            known.address, known.problem = connection.address, problem
            if problem is not None:
                known.paused_until_s = time.monotonic() + PAUSES_S.get(problem.code, 0.0)
            borrower = connection.borrower
            if borrower is not None:
                known.processes = borrower.processes
        name = borrower.name if borrower else connection.address
        if borrower is not None:
            borrower.end()
            self._ended.append(borrower)
            with self._lock:
                known.done += borrower.done
                known.came_home += borrower.came_home
        if borrower is not None or problem is not None:
            log.log(logging.WARNING if problem else logging.INFO, "%s has disconnected%s",
                    name, f": {problem}" if problem else "")  # fmt: skip

    def _note(self, problem: Message) -> None:
        with self._lock:
            self._problem = problem
            self._invited = {}


def _problem(error: Exception) -> Message:
    if isinstance(error, StoreError):
        return error.message
    if isinstance(error, OSError):
        return Message("lending.cannot_listen", error=of_os_error(error))
    return Message("lending.gate_died", problem=error)


def _identity(roster: Roster) -> tuple[int, ...]:
    """A value that changes whenever the list changes."""
    try:
        status = (roster.folder / LIST).stat()
    except OSError:
        return (0,)
    return status.st_ino, status.st_size, status.st_mtime_ns
