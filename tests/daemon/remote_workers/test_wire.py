"""Messages are of known types, or refused: nothing that is received can run."""

import contextlib
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.remote_workers import wire

MESSAGES = [
    wire.Hello(1, "0.1", 4, ("verify",)), wire.Answers((wire.Done(1, 2, b"value"), wire.Failed(1, 2, "crashed"))),
    wire.Unfit("a full disk"), wire.Heartbeat(),
]  # fmt: skip
ORDERS = [
    wire.Welcome(60.0, 2**30), wire.Refused("revoked"),
    wire.Batch(3, "verify", (wire.View(7, b"a"), wire.View(6)), (b"t",)), wire.Heartbeat(),
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_of_a_worker(message: wire.FromWorker) -> None:
    assert wire.of_worker(wire.encode(message)) == message


@pytest.mark.parametrize("message", ORDERS, ids=lambda message: type(message).__name__)
def test_messages_of_the_service(message: wire.FromService) -> None:
    assert wire.of_service(wire.encode(message)) == message


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('it ran')",)


def answers(*some: Any) -> bytes:
    return msgspec.msgpack.encode(["Answers", some])


@pytest.mark.attack("a message that is no message, or a pickle")
@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\xc1", pickle.dumps(Evil()), msgspec.msgpack.encode(Evil.__name__), b"\x91" * 100_000,
        answers(["Done", 1, 2]), answers(["Done", 1, 2, b"", 4]),
        answers(["Done", -1, 2, b""]), answers(["Done", 2**40, 2, b""]),
        answers(["Done", "1", 2, b""]), msgspec.msgpack.encode(["Hello", 1, "v", 0, []]),
        msgspec.msgpack.encode(["Hello", 1, "v", 10**6, []]), msgspec.msgpack.encode(["Hello", 1, "v" * 999, 1, []]),
        msgspec.msgpack.encode(["Hello", 1, "v", 1, ["x"] * 17]), answers(["Failed", 1, 2, "x" * 201]),
        msgspec.msgpack.encode(["Batch", 1, "verify", [], []]), msgspec.msgpack.encode({"type": "Done"}),
        msgspec.msgpack.encode(["Done", 1, 2, b""]),
        answers(*[["Done", 1, 2, b""]] * 65), answers(["Heartbeat"]),
        answers(["Done", 1, 2, msgspec.msgpack.Ext(1, pickle.dumps(Evil()))]),
    ],
)  # fmt: skip
def test_anything_else_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        wire.of_worker(payload)


@given(st.binary(max_size=100))
def test_no_bytes_do_more_than_be_refused(payload: bytes) -> None:
    for read in (wire.of_worker, wire.of_service):
        with contextlib.suppress(ValueError):
            read(payload)
