"""Which folders a step changes, and whether one of them is protected."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.files.grounds import Grounds
from index.records.batches import Action, Step, StepState


def unless_protected(step: Step, grounds: Grounds) -> Step:
    """A planned step as it is, or refused where it would change a protected folder. Raises ConfigError."""
    if step.state is not StepState.PLANNED:
        return step
    for path in changed_paths(step):
        if (protection := grounds.protection_of(path)) is not None:
            return replace(step, state=StepState.REFUSED, reason="protected", message=protection.sentence)
    return step


def changed_paths(step: Step) -> Sequence[bytes]:
    """The names that a step takes away, gives or replaces, so that their folders change."""
    match step.action:
        case Action.CREATE | Action.RESTORE:
            paths = [step.target]
        case Action.DELETE:
            paths = []
        case Action.LINK:
            # Whoever writes to the new name changes the file to keep.
            paths = [step.path, step.keeper]
        case _:
            paths = [step.path, step.target]
    return [path for path in (*paths, step.trash) if path]
