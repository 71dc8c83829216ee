"""Which steps are taken back together, and in which order: a companion comes behind its image, to match its name."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from index.errors import UsageError
from index.images.companions import bond_of, case_blind, companions_of, stem_of
from index.records.batches import Action, Step, StepState

# How many steps behind an image its companions may come: behind those of other images of its stem.
MOST_BEHIND: Final = 256


def chosen_steps(steps: Sequence[Step], ids: Sequence[int]) -> list[Step]:
    """The steps named with those that go with them, all where none is named. Raises UsageError."""
    if not ids:
        return list(steps)
    unknown = set(ids) - {step.id for step in steps}
    if unknown:
        raise UsageError(f"The step {min(unknown)} is not in this batch.", field="parameters.steps")
    by_folder: dict[bytes, list[Step]] = defaultdict(list)
    for step in steps:
        by_folder[os.path.dirname(step.path)].append(step)
    named = set(ids)
    for step in steps:  # behind what they go with
        if step.companion_of in named:
            named.add(step.id)
    for step in [step for step in steps if step.id in named]:
        named |= {one.id for one in companion_steps(step, by_folder[os.path.dirname(step.path)])}
    return [step for step in steps if step.id in named]


def steps_behind(image: Step) -> range:
    """The ids of the steps among which those about companions of an image are."""
    return range(image.id + 1, image.id + 1 + MOST_BEHIND)


def is_companion(step: Step) -> bool:
    """Whether a step of a sort took away a companion of an image."""
    return (
        step.companion_of is not None and step.image_id is None and step.action in (Action.TRASH, Action.MOVE)
        and bond_of(os.path.basename(step.path)) is not None
    )  # fmt: skip


def companion_steps(image: Step, others: Iterable[Step]) -> list[Step]:
    """Of other steps, those about companions of an image that went, also where they followed another image."""
    if is_companion(image) or image.action not in (Action.TRASH, Action.MOVE):
        return []
    folder, name = os.path.split(image.path)
    here = [one for one in others if os.path.dirname(one.path) == folder and is_companion(one)]
    near = {os.path.basename(one.path): one for one in here}
    by_name = {one.name for one in companions_of(name, near)}
    return [one for own, one in near.items() if own in by_name or one.companion_of == image.id]


class Ways:
    """Ways back in an order in which each companion comes right behind an image that it belongs to, if one comes back
    too: then it gets the name that matches what that one is called. Each way is a step and those that depend on it;
    `undone` are the steps that they take back."""

    def __init__(self, undone: Mapping[int, Step]) -> None:
        self._undone = undone
        self._by_stem: dict[tuple[bytes, bytes], list[Step]] = defaultdict(list)

    def in_order(self, ways: Sequence[Sequence[Step]]) -> list[Step]:
        companions = [way for way in ways if self._is_about_companion(way[0])]
        heads = [way for way in ways if not self._is_about_companion(way[0])]
        for first, *_ in heads:
            if first.state is StepState.PLANNED and first.action in (Action.RESTORE, Action.MOVE):
                folder, name = os.path.split(self._origin(first))
                self._by_stem[folder, case_blind(stem_of(name))].append(first)
        behind: dict[int, list[Sequence[Step]]] = defaultdict(list)
        for way in reversed(companions):
            leader = self._leader(way[0])
            if leader is None:
                heads.append(way)
            else:
                behind[id(leader)].append(way)
        found: list[Step] = []
        for way in heads:
            place = _add(found, way, None)
            for other in behind[id(way[0])]:
                _add(found, other, place)
        return found

    def _origin(self, way: Step) -> bytes:
        """Where a file was before it was taken away."""
        step = self._undone.get(way.undo_of or 0)
        return (way if step is None else step).path

    def _is_about_companion(self, way: Step) -> bool:
        step = self._undone.get(way.undo_of or 0)
        return bond_of(os.path.basename(way.path)) is not None if step is None else is_companion(step)

    def _leader(self, way: Step) -> Step | None:
        """The way of an image that a companion belongs to, best of that which it followed; None where none comes."""
        folder, name = os.path.split(self._origin(way))
        step = self._undone.get(way.undo_of or 0)
        stems = {case_blind(stem_of(name)), case_blind(stem_of(stem_of(name)))}
        near = [one for stem in sorted(stems) for one in self._by_stem.get((folder, stem), ())]
        owners = []
        for one in near:
            if step is not None and one.undo_of == step.companion_of:
                return one
            image = os.path.basename(self._origin(one))
            if any(found.name == name for found in companions_of(image, (name, stem_of(name)), case_blind)):
                owners.append(one)
        return owners[0] if owners else None


def _add(steps: list[Step], way: Sequence[Step], behind: int | None) -> int:
    """Append a way, behind the step at a place; the place that its first step gets, counted from 1."""
    first, *others = way
    steps.append(first if behind is None else replace(first, companion_of=behind))
    place = len(steps)
    steps += [replace(other, companion_of=place) for other in others]
    return place
