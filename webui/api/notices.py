"""REST: send a test notice."""

from typing import Annotated

import msgspec
from msgspec import Meta

from index.messages import render
from webui.routes import API, Call, Route
from webui.schemas import Answer


class NoticeTest(Answer, frozen=True, kw_only=True):
    """Whether a test notice was delivered, for each configured transport."""

    arrived: Annotated[list[str], Meta(description="command, webhook")]
    failed: Annotated[dict[str, str], Meta(description="Why it was not delivered, by transport")]


def test_notices(call: Call) -> msgspec.Struct:
    ended = call.services.test_notices()
    return NoticeTest(
        arrived=[name for name, error in ended.items() if error is None],
        failed={name: render(error, call.language) for name, error in ended.items() if error is not None},
    )


ROUTES = (
    Route("POST", f"{API}/notices/test", test_notices, "Send a test notification by every configured transport",
          "status", NoticeTest, errors=(400,)),
)  # fmt: skip
