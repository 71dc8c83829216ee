"""The result file, format comparimg/1: every group with its images and evidence, and the problems.

Deterministic: groups by key, images by their place in the group and path, `created` being when the detection was
finished; asking twice gives the same bytes.
"""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from peewee import SqliteDatabase

from index.candidates.fingerprint import to_hex
from index.model import DetectParameters, Kind, Turn
from index.queries.proposals import Outline, outlines
from index.records.catalogue import chunks, contents
from index.records.findings import current_detection, load_parameters, present_files, told_from
from index.schema import DuplicateGroup, Match, Member, Problem, Root
from index.verification.evidence import sentence

FORMAT = "comparimg/1"


def result(database: SqliteDatabase, criteria: Sequence[str] | None = None) -> dict[str, Any]:
    """The whole result as plain data; no groups before the first detection. `criteria` choose the images to keep."""
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
        },
        "groups": [] if detection is None else list(_groups(database, detection.id, parameters, criteria)),
        "problems": list(_problems(database, parameters)),
    }


def is_result(head: str) -> bool:
    """Whether a text begins as a result file does, in JSON or CSV."""
    return head.startswith(("group,group_kind,", '{\n "format": "comparimg/'))


def write_json(found: dict[str, Any], target: TextIO) -> None:
    """Plain ASCII: bytes of a path that are no UTF-8 are lone surrogates, escaped, and survive the round trip."""
    json.dump(found, target, indent=1, ensure_ascii=True)
    target.write("\n")


def write_csv(found: dict[str, Any], target: TextIO) -> None:
    """One row an image, for a spreadsheet."""
    columns = ("path", "reference", "kind", "distance", "turn", "bytes", "width", "height", "digest", "hash")
    writer = csv.writer(target)
    writer.writerow(("group", "group_kind", *columns))
    for group in found["groups"]:
        for image in group["images"]:
            writer.writerow((group["id"], group["kind"], *(image.get(column, "") for column in columns)))


def _groups(
    database: SqliteDatabase, detection_id: int, parameters: DetectParameters, criteria: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    rows = DuplicateGroup.select().where(DuplicateGroup.detection == detection_id).order_by(DuplicateGroup.key)
    for some in chunks(rows.execute(database), 200):
        members = _members(database, [row.id for row in some])
        proposals = outlines(database, [row.id for row in some], criteria)
        content_ids = {member.content_id for of_group in members.values() for member in of_group}
        rows_of = contents(database, content_ids)
        files_of = present_files(database, content_ids, parameters.folders)
        for row in some:
            evidence = _evidence(database, detection_id, row.reference_id)
            files = [
                (member, file) for member in members[row.id] for file in files_of.get(member.content_id, [])
            ]
            images = [
                _image(file, rows_of[member.content_id], member, parameters.hsize, evidence)
                for member, file in files
            ]
            if images:
                images[0] |= {"reference": True}
                for name in ("kind", "distance", "turn", "evidence"):
                    images[0].pop(name, None)
            paths = {file.id: image["path"] for (_, file), image in zip(files, images, strict=True)}
            proposal = _proposal(proposals.get(row.id), paths)
            yield {"id": row.key, "kind": row.kind, "proposal": proposal, "images": images}


def _proposal(outline: Outline | None, paths: Mapping[int, str]) -> dict[str, Any] | None:
    if outline is None:
        return None
    proposal = outline.proposal
    return {
        "path": paths[proposal.image_id],
        "decided_by": proposal.decided_by,
        "tie": proposal.tie,
        "reasons": [asdict(reason) for reason in proposal.reasons],
    }


def _members(database: SqliteDatabase, group_ids: list[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {group_id: [] for group_id in group_ids}
    query = Member.select().where(Member.group.in_(group_ids)).order_by(Member.group, Member.position)
    for member in query.execute(database):
        found[member.group_id].append(member)
    return found


def _evidence(database: SqliteDatabase, detection_id: int, reference_id: int) -> dict[int, dict[str, Any]]:
    """What is stored of each match of the reference, by the other content's id."""
    query = Match.select().where(
        Match.detection == detection_id, (Match.a == reference_id) | (Match.b == reference_id)
    )
    return {
        (match.b_id if match.a_id == reference_id else match.a_id): told_from(reference_id, match)
        for match in query.execute(database)
    }


def _image(file: Any, content: Any, member: Any, hsize: int, evidence: dict[int, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "path": os.fsdecode(bytes(file.path)),
        "reference": False,
        "bytes": file.size_bytes,
        "width": content.width,
        "height": content.height,
        "digest": bytes(content.digest).hex(),
        "hash": to_hex(bytes(getattr(content, f"hash{hsize}"))[: hsize * hsize // 8]) if content.scheme else "",
    }
    if member.position == 0:
        return found | {"kind": str(Kind.EXACT), "distance": 0, "turn": str(Turn.NONE), "evidence": {}}
    told = evidence.get(content.id, {})
    return found | {
        "kind": member.kind,
        "distance": member.distance,
        "turn": member.turn,
        "evidence": told,
        "sentence": {language: sentence(told, language) for language in ("en", "fr")} if told else {},
    }


def _problems(database: SqliteDatabase, parameters: DetectParameters) -> Iterator[dict[str, str]]:
    below = tuple(os.fsencode(folder).rstrip(b"/") + b"/" for folder in parameters.folders)
    query = Problem.select(Problem.path, Problem.reason, Problem.message).join(Root).where(Root.watched)
    for path, reason, message in query.order_by(Problem.path).tuples().execute(database):
        if not below or bytes(path).startswith(below):
            yield {"path": os.fsdecode(bytes(path)), "reason": reason, "message": message}
