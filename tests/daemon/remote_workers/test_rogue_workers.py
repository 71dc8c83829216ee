"""Who is not invited is not heard; who is invited and talks nonsense is cut off, and nothing of it is kept or run."""

import os
import pickle
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.processes.verify_task import verify_pair
from daemon.processes.worker import of_item
from daemon.remote_workers import lender as lender_module
from daemon.remote_workers import wire
from daemon.remote_workers.certificates import Authority
from daemon.remote_workers.gate import MOST_CONNECTIONS
from daemon.remote_workers.invitation import Invitation
from daemon.remote_workers.join import _context
from daemon.remote_workers.lendable import abilities
from support.lending import HeldBack, Lending, limits, wait_for
from support.lent_pairs import Pairs, gather
from support.rogue import Rogue

# Of which the first batch has half: there is one process here.
COUNT = 16
JUDGED = b'{"kind": null, "confidence": 0, "turn": "none", "evidence": {}}'


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lending]:
    """One lender for all; each rogue has an invitation of its own."""
    made = Lending(tmp_path_factory.mktemp("lent"), HeldBack(1, limits()))
    assert made.port
    yield made
    made.close()


@pytest.fixture
def invitation(lent: Lending, request: pytest.FixtureRequest) -> Invitation:
    return lent.invite(f"rogue{abs(hash(request.node.name)) % 10**9}")


@pytest.fixture
def rogue(lent: Lending, invitation: Invitation, tmp_path: Path) -> Iterator[Rogue]:
    """One that was invited, and is welcome."""
    with connected(lent, invitation, tmp_path) as made:
        yield made
    wait_for(lambda: not lent.connected())


def connected(lent: Lending, invitation: Invitation, tmp_path: Path) -> Rogue:
    wait_for(lambda: invitation.name in {worker.name for worker in lent.lender.status().workers})
    made = Rogue(invitation, tmp_path)
    made.greet(*abilities())
    assert isinstance(made.hear(), wire.Welcome)
    return made


def is_refused(connect: Callable[[], Any]) -> bool:
    """Whether a connection comes to nothing: with TLS 1.3, that shows when something is read."""
    try:
        return connect() is None
    except OSError:
        return True


class Evil:
    """Unpickled, it leaves a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.attack("a stranger connects without TLS, or without a certificate that is good")
def test_strangers(lent: Lending, invitation: Invitation, tmp_path: Path) -> None:
    def plain() -> Any:
        with socket.create_connection((invitation.host, invitation.port), 10) as end:
            end.sendall(wire.framed(wire.encode(wire.Hello(wire.PROTOCOL, "1", 1, ()))))
            return end.recv(100) or None

    def without_certificate() -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=invitation.authority)
        with (
            socket.create_connection((invitation.host, invitation.port), 10) as end,
            context.wrap_socket(end, server_hostname=wire.SERVICE_NAME) as secured,
        ):
            return secured.recv(100) or None

    def presenting(certificate: bytes, key: bytes) -> Any:
        other = msgspec.structs.replace(invitation, certificate=certificate.decode(), key=key.decode())
        with Rogue(other, tmp_path) as end:
            return end.hear()

    stranger = Authority(*Authority.new())
    assert is_refused(without_certificate)
    assert is_refused(lambda: presenting(*stranger.for_worker(invitation.name))), "signed by another authority"
    service = lent.roster.read("service.pem").partition(b"-----BEGIN PRIVATE")
    assert is_refused(lambda: presenting(service[0], b"".join(service[1:]))), "a certificate for another use"
    with pytest.raises(ssl.SSLError), Rogue(invitation, tmp_path, version=ssl.TLSVersion.TLSv1_2):
        pass
    answered = b""
    with suppress(OSError):
        answered = plain() or b""
    assert b"Welcome" not in answered
    assert lent.lender.alive and lent.connected() == set()


@pytest.mark.attack("a certificate that the authority signed and that is on no list")
def test_a_certificate_that_is_on_no_list(lent: Lending, invitation: Invitation, tmp_path: Path) -> None:
    authority = Authority(lent.roster.read("authority.pem"), lent.roster.read("authority.key"))
    certificate, key = authority.for_worker("uninvited")
    other = msgspec.structs.replace(invitation, certificate=certificate.decode(), key=key.decode())
    with Rogue(other, tmp_path) as end:
        end.greet(*abilities())
        assert end.hear() == wire.Refused("revoked")
        assert end.hear() is None


@pytest.mark.attack("a certificate that was revoked")
def test_a_revoked_certificate(lent: Lending, invitation: Invitation, tmp_path: Path) -> None:
    with connected(lent, invitation, tmp_path) as end:
        lent.roster.remove(invitation.name)
        assert end.hear() == wire.Refused("revoked")
        assert end.hear() is None
    with Rogue(invitation, tmp_path) as end:
        assert end.hear() == wire.Refused("revoked")


@pytest.mark.attack("one machine poses as the service to another")
def test_a_worker_takes_no_other_worker_for_the_service(invitation: Invitation, tmp_path: Path) -> None:
    file = tmp_path / "worker.pem"
    file.write_text(invitation.certificate + invitation.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def accept() -> None:
            end, _ = listening.accept()
            with closing(end), suppress(OSError):
                server.wrap_socket(end, server_side=True)

        thread = threading.Thread(target=accept)
        thread.start()
        with socket.create_connection(listening.getsockname(), 10) as end, pytest.raises(ssl.SSLError, match="CERTIF"):
            _context(invitation).wrap_socket(end, server_hostname=wire.SERVICE_NAME)
        thread.join()


def test_another_version_gets_nothing(lent: Lending, invitation: Invitation, tmp_path: Path) -> None:
    wait_for(lambda: invitation.name in {worker.name for worker in lent.lender.status().workers})
    with Rogue(invitation, tmp_path) as end:
        end.greet(*abilities(), version="0.0.1")
        refused = end.hear()
        assert isinstance(refused, wire.Refused) and refused.reason == "version"
        assert end.hear() is None
    wait_for(lambda: lent.problem(invitation.name) == "lending.version")


def test_who_can_do_nothing_gets_nothing(lent: Lending, invitation: Invitation, tmp_path: Path, pairs: Pairs) -> None:
    """It has another OpenCV, or another model."""
    wait_for(lambda: invitation.name in {worker.name for worker in lent.lender.status().workers})
    done: list[Any] = []
    with Rogue(invitation, tmp_path) as end:
        end.greet("verify blocks/0 numpy 1 opencv-python-headless 1", "embed 00 numpy 1 onnxruntime 1 pillow 1")
        assert isinstance(end.hear(), wire.Welcome)
        thread = threading.Thread(target=lambda: done.append(judged(lent, pairs)))
        thread.start()
        wait_for(lambda: len(lent.pool.queue.tasks) == COUNT)
        assert lent.away(invitation.name) == 0
        end.say(wire.Unfit("enough"))
        assert end.hear() is None
    release(lent)
    thread.join()
    assert done == [{pair: pairs.expected[pair] for pair, _ in pairs.tasks[:COUNT]}]


def judged(lent: Lending, pairs: Pairs) -> dict[Any, Any]:
    return gather(lent.pool.run(partial(of_item, verify_pair), pairs.tasks[:COUNT]))


def release(lent: Lending) -> None:
    """Let the pool do here what waits for another machine."""
    queue = lent.pool.queue

    def bring_home() -> bool:
        with queue.changed:
            for task in queue.tasks:
                task.home = True
            queue.changed.notify_all()
            return not queue.tasks

    wait_for(bring_home)


def answered(lent: Lending, rogue: Rogue, pairs: Pairs, answer: Callable[[wire.Batch], None]) -> dict[Any, Any]:
    """What is said of eight pairs in the end, where a rogue answers the first batch."""
    found: list[dict[Any, Any]] = []
    thread = threading.Thread(target=lambda: found.append(judged(lent, pairs)))
    thread.start()
    try:
        batch = rogue.hear()
        assert isinstance(batch, wire.Batch) and len(batch.tasks) == 8
        answer(batch)
        assert rogue.is_cut_off()
        wait_for(lambda: not lent.connected())
    finally:
        release(lent)
        thread.join()
    return found[0]


@pytest.mark.attack("a worker answers with a pickle that would run code")
@pytest.mark.parametrize("place", ["message", "value", "word"])
def test_a_pickle_is_never_loaded(lent: Lending, rogue: Rogue, pairs: Pairs, tmp_path: Path, place: str) -> None:
    mark = tmp_path / "ran"
    pickled = pickle.dumps(Evil(mark))

    def answer(batch: wire.Batch) -> None:
        match place:
            case "message":
                rogue.say(pickled)
            case "value":
                rogue.answer(wire.Done(batch.number, 0, pickled))
            case "word":
                rogue.answer(wire.Failed(batch.number, 0, pickled.decode("latin-1")))
                rogue.say(wire.Unfit(pickled.decode("latin-1")))

    assert answered(lent, rogue, pairs, answer) == {pair: pairs.expected[pair] for pair, _ in pairs.tasks[:COUNT]}
    assert not mark.exists()
    pickle.loads(pickled)
    assert mark.exists(), "it would have run"


@pytest.mark.attack("a worker answers what it was not asked, twice, or too much")
@pytest.mark.parametrize("what", ["other batch", "other number", "hello", "garbage", "length", "nonsense"])
def test_nonsense_ends_the_connection(lent: Lending, rogue: Rogue, pairs: Pairs, what: str) -> None:
    def answer(batch: wire.Batch) -> None:
        match what:
            case "other batch":
                rogue.answer(wire.Done(batch.number + 100, 0, JUDGED))
            case "other number":
                rogue.answer(wire.Done(batch.number, 8, JUDGED))
            case "hello":
                rogue.greet(*abilities())
            case "garbage":
                rogue.say(os.urandom(50))
            case "length":
                rogue.say_bytes(wire.LENGTH.pack(2**32 - 1) + b"x" * 1000)
            case "nonsense":
                rogue.answer(wire.Done(batch.number, 0, JUDGED.replace(b"null", b'"exact"')))

    assert answered(lent, rogue, pairs, answer) == {pair: pairs.expected[pair] for pair, _ in pairs.tasks[:COUNT]}


def test_a_second_answer_changes_nothing(lent: Lending, rogue: Rogue, pairs: Pairs) -> None:
    def answer(batch: wire.Batch) -> None:
        rogue.answer(
            wire.Done(batch.number, 0, JUDGED.replace(b'null, "confidence": 0', b'"near", "confidence": 0.123'))
        )
        rogue.answer(wire.Done(batch.number, 0, JUDGED))

    found = answered(lent, rogue, pairs, answer)
    expected = {pair: pairs.expected[pair] for pair, _ in pairs.tasks[:COUNT]}
    (other,) = (pair for pair in found if found[pair] != expected[pair])
    assert found[other][:2] == ("near", 0.123), "an invited worker is believed, once"


def test_a_task_that_a_worker_cannot_do_is_done_at_home(lent: Lending, rogue: Rogue, pairs: Pairs) -> None:
    """What a picture does to its process is found out here: a worker that is about it has nothing given up."""

    def answer(batch: wire.Batch) -> None:
        for number in range(8):
            rogue.answer(wire.Failed(batch.number, number, "crashed"))
        rogue.say(wire.Unfit("enough"))

    assert answered(lent, rogue, pairs, answer) == {pair: pairs.expected[pair] for pair, _ in pairs.tasks[:COUNT]}


@pytest.mark.fault("a worker that lives and answers nothing")
def test_who_answers_nothing_is_cut_off(
    lent: Lending, rogue: Rogue, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lent.lender, "_overdue_s", 0.5)
    assert answered(lent, rogue, pairs, lambda _: None) == {
        pair: pairs.expected[pair] for pair, _ in pairs.tasks[:COUNT]
    }


def test_who_is_silent_is_cut_off(
    lent: Lending, invitation: Invitation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(lent, invitation, tmp_path) as end:
        monkeypatch.setattr(lender_module.wire, "SILENCE_S", 1.0)
        monkeypatch.setattr(lender_module.wire, "BEAT_S", 0.2)
        assert end.is_cut_off()
    wait_for(lambda: lent.problem(invitation.name) == "lending.silent")


def test_who_does_not_say_who_it_is_is_cut_off(
    lent: Lending, invitation: Invitation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lender_module.wire, "HELLO_S", 0.3)
    wait_for(lambda: invitation.name in {worker.name for worker in lent.lender.status().workers})
    with Rogue(invitation, tmp_path) as end:
        assert end.hear() is None


def test_who_comes_again_has_left(lent: Lending, rogue: Rogue, invitation: Invitation, tmp_path: Path) -> None:
    with connected(lent, invitation, tmp_path):
        assert rogue.is_cut_off()
        assert lent.connected() == {invitation.name}


def test_so_many_connections_and_no_more(lent: Lending, invitation: Invitation, tmp_path: Path) -> None:
    """Strangers that hold connections keep no invited machine out for longer than a handshake may take."""
    strangers = [socket.create_connection((invitation.host, invitation.port), 10) for _ in range(2 * MOST_CONNECTIONS)]
    try:
        with connected(lent, invitation, tmp_path):
            assert lent.connected() == {invitation.name}
    finally:
        for stranger in strangers:
            stranger.close()
