"""The result file, format comparimg/1: every group with its images and evidence, and the problems.

Deterministic: groups are ordered by key, images by their place in the group and path, and `created` is when the
detection was finished, so that equal data gives equal bytes.
"""

import csv
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from peewee import SqliteDatabase

from index.database.queries.plain_description import plain
from index.database.queries.proposals import Outline, outlines
from index.database.records.images import chunks, contents, skipped_by_name
from index.database.records.matches import current_detection, evidence_from, load_parameters, present_files
from index.database.records.origins import sidecar_descriptions
from index.database.schema import DuplicateGroup, Match, Member, Problem, Root
from index.imaging.candidates.perceptual_hash import to_hex
from index.imaging.decoding.description import combined_description
from index.imaging.discovery import file_types
from index.imaging.originality.account import sentence as origin_sentence
from index.imaging.verification.edit_evidence import PROPOSED, sentence
from index.messages import LANGUAGES, render
from index.model import Description, DetectParameters, Kind, Turn, default_tolerance

FORMAT = "comparimg/1"


# Kinds of match that are listed as text by default: such lists are piped into programs that delete.
CERTAIN: Final = frozenset({Kind.EXACT, Kind.PIXELS})


def result(database: SqliteDatabase, criteria: Sequence[str] | None = None) -> dict[str, Any]:
    """The whole result as plain data; without groups before the first detection. `criteria` select the keepers."""
    read = unread(database, criteria)
    return {**read, "groups": list(read["groups"])}


def unread(database: SqliteDatabase, criteria: Sequence[str] | None = None) -> dict[str, Any]:
    """The result with its groups as an iterator, which reads them from the database on demand."""
    detection = current_detection(database)
    parameters = DetectParameters() if detection is None else load_parameters(detection.parameters)
    finished_ns = 0 if detection is None else detection.finished_ns or detection.created_ns
    return {
        "format": FORMAT,
        "created": datetime.fromtimestamp(finished_ns // 10**9, UTC).isoformat(),
        "parameters": {
            "algorithm": parameters.algorithm,
            "hsize": parameters.hsize,
            "tolerance": parameters.tolerance,
            "turns": parameters.turns,
            "verify": parameters.verify,
            "depth": str(parameters.depth),
            "method": str(parameters.used),
            **_lowered(parameters),
        },
        "groups": iter(()) if detection is None else _groups(database, detection.id, parameters, criteria),
        "problems": list(_problems(database, parameters)),
        "skipped": file_types.by_kind(skipped_by_name(database)),
    }


def _lowered(parameters: DetectParameters) -> dict[str, int]:
    """The number of pictures for which the tolerance was lowered, if it was."""
    is_lowered = parameters.sized_for > 0 and parameters.tolerance < default_tolerance(parameters.hsize)
    return {"tolerance_lowered_for": 1 << parameters.sized_for} if is_lowered else {}


def is_result(head: str) -> bool:
    """Whether a text begins like a result file, in JSON or CSV."""
    return head.startswith(("group,group_kind,", '{\n "format": "comparimg/'))


def of_kinds(result: dict[str, Any], kinds: Collection[str]) -> dict[str, Any]:
    """The result with only those images of a group that match its reference in one of these ways, and the reference; a
    group with no other image is left out. Scenes are *possible*."""
    groups = ({**group, "images": [*_of_kinds(group["images"], kinds)]} for group in result["groups"])
    return {**result, "groups": (group for group in groups if len(group["images"]) > 1)}


def write(result: dict[str, Any], form: str, target: TextIO) -> None:
    """Write the result as "json", which is comparimg/1, as "csv" with a row for each image, or as "text" with paths as
    fdupes prints them. Its groups are read once, one after another."""
    {"json": write_json, "csv": write_csv, "text": write_text}[form](result, target)


def write_json(result: dict[str, Any], target: TextIO) -> None:
    """Write the result as ASCII JSON. Bytes of a path that are not UTF-8 are escaped as lone surrogates, which survive
    the round trip."""
    target.write("{")
    for number, (name, value) in enumerate(result.items()):
        target.write(f"{',' if number else ''}\n {json.dumps(name)}: ")
        if name == "groups":
            _write_list(value, target)
        else:
            target.write(_indented(value, 1))
    target.write("\n}\n")


def write_csv(result: dict[str, Any], target: TextIO) -> None:
    """Write the result as CSV with one row for each image."""
    columns = ("path", "reference", "kind", "distance", "turn", "bytes", "width", "height", "digest", "hash")
    writer = csv.writer(target)
    writer.writerow(("group", "group_kind", *columns))
    for group in result["groups"]:
        for image in group["images"]:
            writer.writerow((group["id"], group["kind"], *(image.get(column, "") for column in columns)))


def write_text(result: dict[str, Any], target: TextIO) -> None:
    """Write the paths of each group on separate lines, the reference first, and an empty line between two groups, as
    fdupes does. A group with a path that contains a line break is left out: it would read as two files."""
    written = False
    for group in result["groups"]:
        paths = [image["path"] for image in group["images"]]
        if any("\n" in path or "\r" in path for path in paths):
            continue
        target.write("\n" * written + "".join(f"{path}\n" for path in paths))
        written = True


def _of_kinds(images: Iterable[dict[str, Any]], kinds: Collection[str]) -> Iterator[dict[str, Any]]:
    return (image for image in images if image["reference"] or image["kind"] in kinds)


def _write_list(values: Iterable[Any], target: TextIO) -> None:
    """Write a list that is the value of a name, as json.dump does, one element at a time."""
    empty = True
    for value in values:
        target.write(("[" if empty else ",") + "\n  " + _indented(value, 2))
        empty = False
    target.write("[]" if empty else "\n ]")


def _indented(value: Any, depth: int) -> str:
    """A value as JSON, with all lines but the first indented. JSON has no line breaks within texts."""
    return json.dumps(value, indent=1, ensure_ascii=True).replace("\n", "\n" + " " * depth)


def _groups(
    database: SqliteDatabase, detection_id: int, parameters: DetectParameters, criteria: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    rows = DuplicateGroup.select().where(DuplicateGroup.detection == detection_id).order_by(DuplicateGroup.key)
    for chunk in chunks(rows.execute(database), 200):
        members = _members(database, [row.id for row in chunk])
        proposals = outlines(database, [row.id for row in chunk], criteria)
        content_ids = {member.content_id for of_group in members.values() for member in of_group}
        rows_of = contents(database, content_ids)
        files_of = present_files(database, content_ids, parameters)
        sidecars = sidecar_descriptions(database, (file.id for files in files_of.values() for file in files))
        for row in chunk:
            evidence = _evidence(database, detection_id, row.reference_id)
            files = [(member, file) for member in members[row.id] for file in files_of.get(member.content_id, [])]
            images = [
                _image(
                    file, rows_of[member.content_id], member, parameters.hsize, evidence,
                    sidecars.get(file.id, Description()),
                )
                for member, file in files
            ]  # fmt: skip
            if images:
                images[0] |= {"reference": True}
                for name in ("kind", "distance", "turn", "evidence"):
                    images[0].pop(name, None)
            paths = {file.id: image["path"] for (_, file), image in zip(files, images, strict=True)}
            if not row.scene:
                _lead_from_proposed(proposals.get(row.id), files, images)
            proposal = None if row.scene else _proposal(proposals.get(row.id), paths)
            yield {"id": row.key, "kind": row.kind, "scene": row.scene, "proposal": proposal, "images": images}


def _lead_from_proposed(
    outline: Outline | None, files: Sequence[tuple[Any, Any]], images: Sequence[dict[str, Any]]
) -> None:
    """Make the sentences describe the others compared with the proposed image, if that is not the reference."""
    if outline is None or not files:
        return
    proposed = next((member for member, file in files if file.id == outline.proposal.image_id), files[0][0])
    if proposed.position == 0:
        return
    for (member, file), image in zip(files, images, strict=True):
        if file.id == outline.proposal.image_id:
            image["sentence"] = {language: render(PROPOSED, language) for language in LANGUAGES}
        elif led := outline.led.get(member.content_id):
            image["sentence"] = {language: sentence(led, language) for language in LANGUAGES}


def _proposal(outline: Outline | None, paths: Mapping[int, str]) -> dict[str, Any] | None:
    if outline is None:
        return None
    proposal = outline.proposal
    return {
        "path": paths[proposal.image_id],
        "decided_by": proposal.decided_by,
        "tie": proposal.tie,
        "certainty": None if proposal.certainty is None else round(proposal.certainty, 3),
        "original_absent": proposal.absent,
        "reasons": [asdict(reason) for reason in proposal.reasons],
        "speaking": [
            {
                "speaks_for": paths[entry.image_id],
                "against": paths[entry.other_id],
                "findings": list(entry.findings),
                "sentence": {language: origin_sentence(entry.findings, language) for language in LANGUAGES},
            }
            for entry in outline.speaking
        ],
    }


def _members(database: SqliteDatabase, group_ids: list[int]) -> dict[int, list[Any]]:
    members: dict[int, list[Any]] = {group_id: [] for group_id in group_ids}
    query = Member.select().where(Member.group.in_(group_ids)).order_by(Member.group, Member.position)
    for member in query.execute(database):
        members[member.group_id].append(member)
    return members


def _evidence(database: SqliteDatabase, detection_id: int, reference_id: int) -> dict[int, dict[str, Any]]:
    """The evidence of each match of the reference, by the id of the other content."""
    query = Match.select().where(Match.detection == detection_id, (Match.a == reference_id) | (Match.b == reference_id))
    return {
        (match.b_id if match.a_id == reference_id else match.a_id): evidence_from(reference_id, match)
        for match in query.execute(database)
    }


def _image(
    file: Any, content: Any, member: Any, hsize: int, evidence: dict[int, dict[str, Any]], sidecars: Description
) -> dict[str, Any]:
    description = combined_description(content.description, sidecars, os.path.basename(bytes(file.path)))
    fields: dict[str, Any] = {
        "path": os.fsdecode(bytes(file.path)),
        "reference": False,
        "bytes": file.size_bytes,
        "width": content.width,
        "height": content.height,
        "digest": bytes(content.digest).hex(),
        "hash": to_hex(bytes(getattr(content, f"hash{hsize}"))[: hsize * hsize // 8]) if content.scheme else "",
        "frames": content.frames,
        "bit_depth": content.bit_depth,
        "attachments": [{"kind": part.kind, "size_bytes": part.size_bytes} for part in content.attachments],
        "damage": content.damage or None,
        "taken": description.taken or content.taken or None,
        "description": plain(description),
    }
    if member.position == 0:
        return fields | {"kind": str(Kind.EXACT), "distance": 0, "turn": str(Turn.NONE), "evidence": {}}
    match_evidence = evidence.get(content.id, {})
    return fields | {
        "kind": member.kind,
        "distance": member.distance,
        "turn": member.turn,
        "evidence": match_evidence,
        "sentence": {language: sentence(match_evidence, language) for language in LANGUAGES} if match_evidence else {},
    }


def _problems(database: SqliteDatabase, parameters: DetectParameters) -> Iterator[dict[str, str]]:
    below = tuple(os.fsencode(folder).rstrip(b"/") + b"/" for folder in parameters.folders)
    query = (
        Problem.select(Problem.path, Problem.reason, Problem.message)
        .join(Root)
        .where(Root.watched, Root.temporary == 0)
    )
    for path, reason, message in query.order_by(Problem.path).tuples().execute(database):
        if not below or bytes(path).startswith(below):
            yield {"path": os.fsdecode(bytes(path)), "reason": reason, "message": str(message or "")}
