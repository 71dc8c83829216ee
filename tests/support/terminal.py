"""comparimg-ctl as a test runs it: in its own process, with what it printed."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

DONE, FAILED, WRONG_USAGE, NO_DAEMON = 0, 1, 2, 3


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output of a command that did all it was asked."""
        assert self.code == DONE, self
        return self.partly

    @property
    def partly(self) -> Any:
        """The output of a command that may have failed at some of it."""
        return json.loads(self.out)


Ctl = Callable[..., Answer]
