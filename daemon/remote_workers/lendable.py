"""The works that can be lent to other machines: how a task and its result are written as plain data, and read.

Only views are sent: JPEGs of at most 512 pixels (1,024 for graphics). To verify a pair, the facts of its two files are
sent as well. Files, names, places, captions and keywords are never sent. The result of a task is checked when it
arrives.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import blake3
import msgspec
from PIL import Image

from daemon.processes.model_task import SHIPPED, EmbedTask, ModelTask, embed_preview
from daemon.processes.verify_task import PairTask, describe_preview, verify_pair
from daemon.remote_workers.judgement_check import (
    features_of_bytes,
    judgement_of_bytes,
    judgement_to_bytes,
    vectors_of_bytes,
)
from daemon.remote_workers.sent_views import MOST_VIEW_BYTES, Views
from index.imaging.candidates.features.descriptors import SCHEME
from index.imaging.decoding.pictures import LETTERS_SIDE
from index.imaging.embedding.model_input import ModelOptions
from index.imaging.verification.edit_evidence import VERIFIER
from index.model import TURNS, Description, Facts, Turn

VERIFY: Final = "verify"
DESCRIBE: Final = "describe"
EMBED: Final = "embed"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of task.

    In the service: `needs` names the ability that a worker must have for an item, "" if no worker can do it. `encode`
    writes an item; it raises OSError or ValueError if its views cannot be read. `decode` reads the result and raises
    ValueError if it is invalid.

    In the worker: `task` makes the argument of `function` from what was written and the paths of the views, and raises
    ValueError. `value` writes the result of `function`, in the same process. Both are module-level functions.
    """

    name: str
    function: Callable[[Any], Any]
    needs: Callable[[Any], str]
    encode: Callable[[Any, Views], bytes]
    decode: Callable[[Any, bytes], Any]
    task: Callable[[bytes, Sequence[str]], Any]
    value: Callable[[Any], bytes]


# Verifying


class _Pair(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    first: int
    second: int
    first_facts: Facts
    second_facts: Facts
    turn: Turn | None
    by_part: bool
    by_model: bool
    first_features: bytes
    second_features: bytes


_pairs: Final = msgspec.msgpack.Decoder(_Pair)


def _pair_to_bytes(task: PairTask, views: Views) -> bytes:
    transparent = task.first_facts.transparent and task.second_facts.transparent
    return msgspec.msgpack.encode(
        _Pair(
            views.add(task.first_view, transparent),
            views.add(task.second_view, transparent),
            _without_description(task.first_facts),
            _without_description(task.second_facts),
            task.turn,
            task.by_part,
            task.by_model,
            task.first_features,
            task.second_features,
        )
    )


def _pair_of_bytes(data: bytes, views: Sequence[str]) -> PairTask:
    pair = _pairs.decode(data)
    return PairTask(
        0,
        1,
        _view(views, pair.first),
        _view(views, pair.second),
        pair.first_facts,
        pair.second_facts,
        pair.turn,
        pair.by_part,
        pair.by_model,
        pair.first_features,
        pair.second_features,
    )


def _without_description(facts: Facts) -> Facts:
    """Facts without the description: captions and keywords are no evidence of what a picture shows, and are private."""
    return replace(facts, description=Description())


# Embedding


class _Embedded(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    view: int
    turns: int
    digest: bytes
    options: ModelOptions


_embeddings: Final = msgspec.msgpack.Decoder(_Embedded)


def _embedding_needs(task: EmbedTask) -> str:
    # Another provider computes different vectors.
    return _can_embed(task.model.digest) if task.model.digest and task.model.provider == "cpu" else ""


def _embedding_to_bytes(task: EmbedTask, views: Views) -> bytes:
    return msgspec.msgpack.encode(_Embedded(views.add(task.view), task.turns, task.model.digest, task.model.options))


def _embedding_of_bytes(data: bytes, views: Sequence[str]) -> EmbedTask:
    """Uses the model file of this machine, which is checked to be the same before it is run."""
    task = _embeddings.decode(data)
    if not 1 <= task.turns <= len(TURNS) or not task.digest:
        raise ValueError("no such turns, or no model")
    return EmbedTask(ModelTask(str(SHIPPED), task.options, "cpu", task.digest), _view(views, task.view), task.turns)


WORKS: Final[Mapping[str, Work]] = {
    VERIFY: Work(
        VERIFY,
        verify_pair,
        lambda _: _can_verify(),
        _pair_to_bytes,
        lambda task, data: judgement_of_bytes(data, task.first_facts, task.second_facts),
        _pair_of_bytes,
        judgement_to_bytes,
    ),
    DESCRIBE: Work(
        DESCRIBE,
        describe_preview,
        lambda _: _can_describe(),
        lambda view, views: msgspec.msgpack.encode(views.add(view)),
        lambda _, data: features_of_bytes(data),
        lambda data, views: _view(views, msgspec.msgpack.decode(data, type=int)),
        bytes,
    ),
    EMBED: Work(
        EMBED,
        embed_preview,
        _embedding_needs,
        _embedding_to_bytes,
        lambda task, data: vectors_of_bytes(data, task.turns, task.model.dimensions),
        _embedding_of_bytes,
        bytes,
    ),
}


def done(work: tuple[Callable[[Any], Any], Callable[[Any], bytes]], item: tuple[int, Any]) -> bytes:
    """In a worker process: apply a function to the second part of an item, and write the result with another
    function."""
    function, value = work
    return value(function(item[1]))


def abilities() -> tuple[str, ...]:
    """What this installation can do for another one, with the versions that matter: other versions give other
    results."""
    can = [_can_verify(), _can_describe()]
    if SHIPPED.is_file():
        can.append(_can_embed(blake3.blake3(SHIPPED.read_bytes()).digest()))
    return tuple(can)


def check_view(view: bytes) -> None:
    """Raises ValueError if the bytes are not a valid view. The worker, too, enforces the limit on pixels."""
    if len(view) > MOST_VIEW_BYTES:
        raise ValueError("a view of too many bytes")
    try:
        with Image.open(io.BytesIO(view), formats=("JPEG",)) as image:
            size = image.size
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("a view that is no JPEG") from error
    if max(size) > LETTERS_SIDE:
        raise ValueError("a view of too many pixels")


def _view(views: Sequence[str], number: int) -> str:
    if not 0 <= number < len(views):
        raise ValueError("no such view")
    return views[number]


def _can_verify() -> str:
    return f"{VERIFY} {VERIFIER} {_versions('numpy', 'opencv-python-headless')}"


def _can_describe() -> str:
    return f"{DESCRIBE} {SCHEME} {_versions('numpy', 'opencv-python-headless')}"


def _can_embed(digest: bytes) -> str:
    return f"{EMBED} {digest.hex()} {_versions('numpy', 'onnxruntime', 'pillow')}"


def _versions(*packages: str) -> str:
    return " ".join(map(_version, packages))


@cache
def _version(package: str) -> str:
    # This is called for every task, and reading the metadata of a package takes a millisecond.
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} none"
