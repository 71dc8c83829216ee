"""Works for tests, at home and on the other machine: obey orders, and give back what was given."""

from typing import Any

import msgspec

from daemon.remote_workers import lendable
from daemon.remote_workers.lendable import Work
from support.misbehaviour import obey, same


def _encode(item: Any, _views: Any) -> bytes:
    """Raises ValueError for what is no plain data, which stays at home."""
    try:
        return msgspec.msgpack.encode(item)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _decode(data: bytes) -> Any:
    value = msgspec.msgpack.decode(data)
    return tuple(value) if isinstance(value, list) else value


def _value(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def _work(name: str, function: Any) -> Work:
    return Work(
        name, function, lambda _: name, _encode, lambda _, data: _decode(data), lambda data, _: _decode(data), _value,
    )  # fmt: skip


ORDERS = {"obey": _work("obey", obey), "same": _work("same", same)}
# On the other machine, before it joins.
JOIN = """
from support import lent_orders
lent_orders.install()
from daemon.remote_workers.join import main
main()
"""


def install() -> None:
    """As the process of a worker knows them, forever."""
    lendable.WORKS.update(ORDERS)  # type: ignore[attr-defined]
    usual = lendable.abilities()

    def abilities() -> tuple[str, ...]:
        return (*usual, *ORDERS)

    from daemon.remote_workers import worker_session  # noqa: PLC0415

    worker_session.abilities = abilities  # type: ignore[attr-defined]
