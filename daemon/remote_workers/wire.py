"""What the service and a worker on another machine say to each other: plain data, each message of a known type.

A message is MessagePack in a frame with its length before it. Nothing else is ever decoded: no pickle, no code.
"""

import struct
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

PROTOCOL: Final = 2
# The name in the certificate of the service, whatever its address: a worker connects to nothing else.
SERVICE_NAME: Final = "comparimg-service"
LENGTH: Final = struct.Struct(">I")
# Of one message. Eight pairs are 16 views of some 40 KB; what comes back are judgements, features or vectors.
MOST_BYTES_TO_WORKER: Final = 32 * 2**20
MOST_BYTES_FROM_WORKER: Final = 2 * 2**20
MOST_ANSWERS: Final = 64
# Both sides say that often that they are there, and take the other for gone after so long a silence.
BEAT_S: Final = 2.0
SILENCE_S: Final = 10.0
# How long a connection may take to say who it is, and a TLS handshake.
HELLO_S: Final = 10.0

Number = Annotated[int, Meta(ge=0, le=2**31)]
Word = Annotated[str, Meta(max_length=200)]
M = TypeVar("M")


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Written as an array: its tag, then its fields."""


# From a worker


class Hello(_Wire, frozen=True):
    """The first message. `can` are the works that it is able to do (see lendable), with their versions in them."""

    protocol: Number
    version: Word
    processes: Annotated[int, Meta(ge=1, le=1024)]
    can: Annotated[tuple[Word, ...], Meta(max_length=16)]


class Done(_Wire, frozen=True):
    """The value of one task of a batch; in Answers."""

    batch: Number
    number: Number
    value: bytes


class Failed(_Wire, frozen=True):
    """A task that could not be done there; `reason` is a word for the log. In Answers."""

    batch: Number
    number: Number
    reason: Word


class Answers(_Wire, frozen=True):
    """Those of some tasks, together: a message costs as much as a millisecond of work."""

    answers: Annotated[tuple[Done | Failed, ...], Meta(max_length=MOST_ANSWERS)]


class Unfit(_Wire, frozen=True):
    """A worker that can do nothing now: a full disk, processes that do not start."""

    problem: Word


class Here(_Wire, frozen=True):
    """Nothing else to say."""


# From the service


class Welcome(_Wire, frozen=True):
    """The limits for each task: as at home."""

    time_limit_s: float
    memory_bytes: int


class Refused(_Wire, frozen=True):
    """Why a worker is not let in: `revoked` or `version`. `version` is that of the service."""

    reason: Word
    version: Word = ""


class View(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A view and its second one on black (see imaging.decoding.pictures), or b"". A number alone is a view that was
    sent before; in Batch."""

    number: Number
    jpeg: bytes = b""
    on_black: bytes = b""


class Batch(_Wire, frozen=True):
    """Tasks of one `work`; they name their views by their places in `views`."""

    number: Number
    work: Word
    views: tuple[View, ...]
    tasks: tuple[bytes, ...]


FromWorker = Hello | Answers | Unfit | Here
FromService = Welcome | Refused | Batch | Here

_encoder: Final = msgspec.msgpack.Encoder()
_from_worker: "Final[msgspec.msgpack.Decoder[FromWorker]]" = msgspec.msgpack.Decoder(FromWorker)
_from_service: "Final[msgspec.msgpack.Decoder[FromService]]" = msgspec.msgpack.Decoder(FromService)


def encode(message: FromWorker | FromService) -> bytes:
    return _encoder.encode(message)


def framed(payload: bytes) -> bytes:
    return LENGTH.pack(len(payload)) + payload


def of_worker(payload: bytes) -> FromWorker:
    """Raises ValueError for anything else (of which msgspec's errors are)."""
    return _checked(_from_worker, payload)


def of_service(payload: bytes) -> FromService:
    """Raises ValueError for anything else."""
    return _checked(_from_service, payload)


def _checked(decoder: "msgspec.msgpack.Decoder[M]", payload: bytes) -> M:
    try:
        return decoder.decode(payload)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
