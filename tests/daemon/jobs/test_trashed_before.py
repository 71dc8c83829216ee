"""Bytes that were put in the trash are recognised when they come back; the copy that stayed is not treated as them."""

import shutil
from pathlib import Path
from typing import Any

from daemon.client import Client
from daemon.service import Service
from support.pictures import photograph, save
from support.serving import config_over, until


def test_what_a_telephone_brings_back_is_recognised(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    original = save(photograph(1, 320, 240), photos / "a.jpg", quality=92)
    copy = photos / "phone" / "copy of a.jpg"
    copy.parent.mkdir()
    shutil.copyfile(original, copy)
    small = save(photograph(2, 320, 240).resize((160, 120)), photos / "phone" / "small.jpg", quality=80)
    save(photograph(2, 320, 240), photos / "b.jpg", quality=92)
    away = tmp_path / "away"
    shutil.copytree(photos / "phone", away)

    def trashed(client: Client) -> dict[str, bool]:
        groups = client.pages("groups")
        found: dict[str, bool] = {}
        for group in groups:
            for image in group["images"]["items"]:
                found[Path(image["path"]).name] = image["trashed_before"] is not None
        return found

    def idle(client: Client) -> Any:
        return not client.get("status")["jobs"]

    with Service(config_over(tmp_path, photos)) as service:
        client = Client(service.address)
        until(lambda: client.get("status")["totals"]["images"] == 4 and idle(client))
        client.post("jobs", {"kind": "detect"})
        until(lambda: client.get("review")["groups"] == 2 and idle(client))
        assert not any(trashed(client).values())
        for group in client.pages("groups"):
            wanted = [
                {"image": image["id"], "choice": "trash" if "/phone/" in image["path"] else "keep"}
                for image in group["images"]["items"]
            ]
            client.put(f"groups/{group['id']}/decisions", {"decisions": wanted})
        client.post("jobs", {"kind": "sort", "parameters": {}})
        until(lambda: client.get("trash")["total"] == 2 and idle(client))
        shutil.copyfile(away / copy.name, photos / "phone" / "back of a.jpg")
        shutil.copyfile(away / small.name, small)
        client.post("jobs", {"kind": "scan", "parameters": {}})
        until(lambda: client.get("status")["totals"]["images"] == 4 and client.get("review")["groups"] == 2)
        until(lambda: idle(client))
        assert trashed(client) == {"a.jpg": False, "b.jpg": False, "back of a.jpg": True, "small.jpg": True}
        # The rule decides about what came back and nothing else, whichever picture its criteria would keep.
        rule = {"choice": "trash", "kinds": ["exact", "pixels", "near"], "trashed_before": True, "criteria": ["path"]}
        effect = client.post("rules/preview", rule)
        assert (effect["groups"], effect["images"], effect["by_criterion"]) == (2, 2, {"trashed_before": 2})
        assert {Path(one["path"]).name for sample in effect["sample"] for one in sample["victims"]} == {
            "back of a.jpg",
            "small.jpg",
        }
        order = client.post("rules/apply", rule)["order"]
        decisions = {
            Path(image["path"]).name: (image["decision"]["choice"], image["decision"]["origin"])
            for group in client.pages("groups")
            for image in group["images"]["items"]
        }
        assert decisions == {
            "a.jpg": ("keep", "user"), "b.jpg": ("keep", "user"),
            "back of a.jpg": ("trash", "rule"), "small.jpg": ("trash", "rule"),
        }  # fmt: skip
        assert client.delete(f"orders/{order}") == {"decisions": 2}
        # Restored, it is what a person wants.
        for item in client.pages("trash"):
            client.post(f"trash/{item['id']}/restore", {})
        until(lambda: client.get("trash")["total"] == 0 and idle(client))
        assert not any(trashed(client).values())
        assert client.post("rules/preview", rule)["groups"] == 0
