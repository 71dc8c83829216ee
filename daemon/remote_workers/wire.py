"""The messages between the service and a worker on another machine: plain data, each of a known type.

A message is MessagePack in a frame, with its length in front. Nothing else is ever decoded: no pickle, no code.
"""

import struct
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

PROTOCOL: Final = 2
# The name in the certificate of the service, whatever its address. A worker accepts no other name.
SERVICE_NAME: Final = "comparimg-service"
LENGTH: Final = struct.Struct(">I")
# The limit of one message. Eight pairs have 16 views of some 40 KB. The answers are judgements, features or vectors.
MOST_BYTES_TO_WORKER: Final = 32 * 2**20
MOST_BYTES_FROM_WORKER: Final = 2 * 2**20
MOST_ANSWERS: Final = 64
# Both sides send a heartbeat this often, and count the other as lost after the following silence.
BEAT_S: Final = 2.0
SILENCE_S: Final = 10.0
# The time a connection has for the TLS handshake, and to identify itself.
HELLO_S: Final = 10.0

Number = Annotated[int, Meta(ge=0, le=2**31)]
Word = Annotated[str, Meta(max_length=200)]
M = TypeVar("M")


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Encoded as an array: its tag, then its fields."""


# From a worker


class Hello(_Wire, frozen=True):
    """The first message. `can` lists the abilities of the worker (see lendable), with their versions."""

    protocol: Number
    version: Word
    processes: Annotated[int, Meta(ge=1, le=1024)]
    can: Annotated[tuple[Word, ...], Meta(max_length=16)]


class Done(_Wire, frozen=True):
    """The result of one task of a batch; part of Answers."""

    batch: Number
    number: Number
    value: bytes


class Failed(_Wire, frozen=True):
    """A task that failed at the worker. `reason` is a word for the log. Part of Answers."""

    batch: Number
    number: Number
    reason: Word


class Answers(_Wire, frozen=True):
    """The answers to several tasks together: a message costs as much as a millisecond of work."""

    answers: Annotated[tuple[Done | Failed, ...], Meta(max_length=MOST_ANSWERS)]


class Unfit(_Wire, frozen=True):
    """The worker can do nothing at present: its disk is full, or its processes do not start."""

    problem: Word


class Heartbeat(_Wire, frozen=True):
    """A heartbeat."""


# From the service


class Welcome(_Wire, frozen=True):
    """The limits for each task, the same as for the service's own processes."""

    time_limit_s: float
    memory_bytes: int


class Refused(_Wire, frozen=True):
    """The reason why a worker is not let in: `revoked` or `version`. `version` is the version of the service."""

    reason: Word
    version: Word = ""


class View(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A view, and its second version on black (see imaging.decoding.pictures) or b"". A number alone refers to a view
    that was sent before. Part of Batch."""

    number: Number
    jpeg: bytes = b""
    on_black: bytes = b""


class Batch(_Wire, frozen=True):
    """Tasks of one `work`. They refer to their views by their index in `views`."""

    number: Number
    work: Word
    views: tuple[View, ...]
    tasks: tuple[bytes, ...]


FromWorker = Hello | Answers | Unfit | Heartbeat
FromService = Welcome | Refused | Batch | Heartbeat

_encoder: Final = msgspec.msgpack.Encoder()
_from_worker: "Final[msgspec.msgpack.Decoder[FromWorker]]" = msgspec.msgpack.Decoder(FromWorker)
_from_service: "Final[msgspec.msgpack.Decoder[FromService]]" = msgspec.msgpack.Decoder(FromService)


def encode(message: FromWorker | FromService) -> bytes:
    return _encoder.encode(message)


def framed(payload: bytes) -> bytes:
    return LENGTH.pack(len(payload)) + payload


def of_worker(payload: bytes) -> FromWorker:
    """Decode a message of a worker. Raises ValueError (the base of msgspec's errors) for anything else."""
    return _checked(_from_worker, payload)


def of_service(payload: bytes) -> FromService:
    """Decode a message of the service. Raises ValueError for anything else."""
    return _checked(_from_service, payload)


def _checked(decoder: "msgspec.msgpack.Decoder[M]", payload: bytes) -> M:
    try:
        return decoder.decode(payload)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
