"""JSON schemas of the machines that do lent work."""

from typing import Annotated

from msgspec import Meta

from webui.schemas import Answer, Count, MessageCode, MessageParams, Time


class WorkDone(Answer, frozen=True, kw_only=True):
    """The number of tasks of each work done since the service or its configuration was started."""

    verify: Annotated[Count, Meta(description="Pairs compared")]
    describe: Annotated[Count, Meta(description="Pictures whose local features were described")]
    embed: Annotated[Count, Meta(description="Pictures embedded by the model")]


class HomeWork(Answer, frozen=True, kw_only=True):
    """The tasks of the same works that the service's own processes did."""

    processes: Count
    done: WorkDone
    share: Annotated[float, Meta(ge=0, le=1, description="Share of all tasks that can be lent")]


class Worker(Answer, frozen=True, kw_only=True):
    """A machine that was invited."""

    name: Annotated[str, Meta(description="The name given when it was invited")]
    invited: Time
    connected: Annotated[bool, Meta(description="Whether it works for this service now")]
    since: Annotated[Time | None, Meta(description="Since when")]
    address: Annotated[str, Meta(description="The address of its last connection")]
    processes: Annotated[Count, Meta(description="The number of tasks that it does at a time")]
    away: Annotated[Count, Meta(description="Tasks that it has at present")]
    done: WorkDone
    share: Annotated[float, Meta(ge=0, le=1, description="Share of all tasks that can be lent")]
    came_home: Annotated[Count, Meta(description="Tasks that it failed to do, and that were done here")]
    problem: Annotated[str, Meta(description='Why it is not connected, if that is known, or ""')]
    problem_code: MessageCode
    problem_params: MessageParams


class WorkerList(Answer, frozen=True, kw_only=True):
    items: list[Worker]
    listen: Annotated[str, Meta(description='Where they connect, "" if nothing is lent')]
    lend: Annotated[list[str], Meta(description="The works that are lent: verify, describe, embed")]
    listening: Annotated[bool, Meta(description="Whether they can connect now")]
    isolated: Annotated[bool, Meta(description="Whether the kernel denies every file to the process that listens")]
    problem: Annotated[str, Meta(description='Why no one can connect, or ""')]
    problem_code: MessageCode
    problem_params: MessageParams
    home: HomeWork
