"""REST: try whether notices arrive."""

from typing import Annotated

import msgspec
from msgspec import Meta

from webui.routes import API, Call, Route
from webui.shapes import Answer


class NoticeTest(Answer, frozen=True, kw_only=True):
    """What became of a test notice by each messenger there is."""

    arrived: Annotated[list[str], Meta(description="command, webhook")]
    failed: Annotated[dict[str, str], Meta(description="Why it did not arrive, by messenger")]


def test_notices(call: Call) -> msgspec.Struct:
    ended = call.services.test_notices()
    return NoticeTest(
        arrived=[name for name, told in ended.items() if not told],
        failed={name: told for name, told in ended.items() if told},
    )


ROUTES = (
    Route("POST", f"{API}/notices/test", test_notices, "Send a test notice to whoever is told what happens", "status",
          NoticeTest, errors=(400,)),
)  # fmt: skip
