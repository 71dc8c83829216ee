"""Which steps are undone together, and in which order: a companion comes after its image, to match its name."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from index.database.records.batches import Action, Step, StepState
from index.errors import UsageError
from index.imaging.discovery.companions import bond_of, case_blind, companions_of, keys_of, stem_of

# How many steps after an image its companions may come: those of other images of its stem are in between.
MOST_BEHIND: Final = 256


def chosen_steps(steps: Sequence[Step], ids: Sequence[int]) -> list[Step]:
    """The named steps with those that go with them, all steps if none is named. Raises UsageError."""
    if not ids:
        return list(steps)
    unknown = set(ids) - {step.id for step in steps}
    if unknown:
        raise UsageError("undo.unknown_step", step=min(unknown), field="parameters.steps")
    by_folder: dict[bytes, list[Step]] = defaultdict(list)
    for step in steps:
        by_folder[os.path.dirname(step.path)].append(step)
    named = set(ids)
    for step in steps:  # each comes after the one it goes with
        if step.companion_of in named:
            named.add(step.id)
    for step in [step for step in steps if step.id in named]:
        named |= {companion.id for companion in companion_steps(step, by_folder[os.path.dirname(step.path)])}
    return [step for step in steps if step.id in named]


def steps_behind(image: Step) -> range:
    """The ids of the steps that may be about companions of an image."""
    return range(image.id + 1, image.id + 1 + MOST_BEHIND)


def is_companion(step: Step) -> bool:
    """Whether a step of a sort trashed or moved a companion of an image."""
    return (
        step.companion_of is not None and step.image_id is None and step.action in (Action.TRASH, Action.MOVE)
        and bond_of(os.path.basename(step.path)) is not None
    )  # fmt: skip


def companion_steps(image: Step, others: Iterable[Step]) -> list[Step]:
    """Among other steps, those about companions of a removed image, even if they followed another image."""
    if is_companion(image) or image.action not in (Action.TRASH, Action.MOVE):
        return []
    folder, name = os.path.split(image.path)
    here = [step for step in others if os.path.dirname(step.path) == folder and is_companion(step)]
    near = {os.path.basename(step.path): step for step in here}
    by_name = {step.name for step in companions_of(name, near)}
    return [step for own, step in near.items() if own in by_name or step.companion_of == image.id]


class UndoOrder:
    """Orders inverse steps so that each companion comes just after an image that it belongs to, if one is restored too:
    then it gets the name that matches that image. Each inverse is a step and those that depend on it; `undone` are the
    steps that they undo."""

    def __init__(self, undone: Mapping[int, Step]) -> None:
        self._undone = undone
        self._by_key: dict[tuple[bytes, bytes], list[Step]] = defaultdict(list)

    def in_order(self, inverses: Sequence[Sequence[Step]]) -> list[Step]:
        companions = [inverse for inverse in inverses if self._is_about_companion(inverse[0])]
        heads = [inverse for inverse in inverses if not self._is_about_companion(inverse[0])]
        for first, *_ in heads:
            if first.state is StepState.PLANNED and first.action in (Action.RESTORE, Action.MOVE):
                folder, name = os.path.split(self._origin(first))
                for key in set(map(case_blind, keys_of(name))):
                    self._by_key[folder, key].append(first)
        behind: dict[int, list[Sequence[Step]]] = defaultdict(list)
        for inverse in reversed(companions):
            leader = self._leader(inverse[0])
            if leader is None:
                heads.append(inverse)
            else:
                behind[id(leader)].append(inverse)
        ordered: list[Step] = []
        for inverse in heads:
            place = _add(ordered, inverse, None)
            for other in behind[id(inverse[0])]:
                _add(ordered, other, place)
        return ordered

    def _origin(self, inverse: Step) -> bytes:
        """The path of a file before the undone step."""
        step = self._undone.get(inverse.undo_of or 0)
        return (inverse if step is None else step).path

    def _is_about_companion(self, inverse: Step) -> bool:
        step = self._undone.get(inverse.undo_of or 0)
        return bond_of(os.path.basename(inverse.path)) is not None if step is None else is_companion(step)

    def _leader(self, inverse: Step) -> Step | None:
        """The inverse step of an image that a companion belongs to, preferably the one it followed; None if no such
        image is restored."""
        folder, name = os.path.split(self._origin(inverse))
        step = self._undone.get(inverse.undo_of or 0)
        keys = {case_blind(key) for near in (name, stem_of(name)) for key in keys_of(near)}
        near = [candidate for key in sorted(keys) for candidate in self._by_key.get((folder, key), ())]
        owners = []
        for candidate in near:
            if step is not None and candidate.undo_of == step.companion_of:
                return candidate
            image = os.path.basename(self._origin(candidate))
            if any(companion.name == name for companion in companions_of(image, (name, stem_of(name)), case_blind)):
                owners.append(candidate)
        return owners[0] if owners else None


def _add(steps: list[Step], inverse: Sequence[Step], behind: int | None) -> int:
    """Append an inverse, as a companion of the step at position `behind`; the position of its first step, from 1."""
    first, *others = inverse
    steps.append(first if behind is None else replace(first, companion_of=behind))
    place = len(steps)
    steps += [replace(other, companion_of=place) for other in others]
    return place
