"""The tables of thresholds in the documentation, generated from the structures in the code.

`make tables` writes them. A block begins and ends with a marker: `<!-- begin gates -->`, `<!-- end gates -->`.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from index.imaging.candidates.crop_hashes import crop_tolerance
from index.imaging.thresholds import described
from index.imaging.verification import gate_thresholds as gates
from index.imaging.verification.bends import BENDS
from index.imaging.verification.clipping import CLIPPING
from index.imaging.verification.edges import EDGES
from index.imaging.verification.faint import FAINT
from index.imaging.verification.similarity import BLOCKS
from index.imaging.verification.small_pictures import SMALL
from index.model import default_tolerance

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
# The modules that have thresholds, with what they decide, in the order of the work.
MODULES = {
    "decoding.double_jpeg": "An earlier JPEG",
    "candidates.crop_hashes": "Crop hashes",
    "candidates.border_detection": "Borders",
    "candidates.deskew": "Tilts",
    "candidates.features.descriptors": "Local features",
    "candidates.features.feature_index": "Pairs proposed by local features",
    "candidates.features.geometric_verification": "Their transforms",
    "candidates.calibration": "Expected false matches",
    "candidates.tolerance_budget": "The tolerance of a large library",
    "embedding.cosine_limits": "Cosines of a model that has no limits of its own",
    "embedding.vector_index": "Pairs proposed by a model",
    "verification.transforms": "Transforms",
    "verification.graphics": "Graphics",
    "verification.strokes": "Drawn in strokes",
    "verification.alignment": "Alignment",
    "verification.similarity": "Blocks compared",
    "verification.registration": "Shifts measured",
    "verification.sensor_noise": "Noise measured",
    "verification.sharpness": "Sharpness measured",
    "verification.places": "Places that differ",
    "verification.other_text": "Another text in one place",
    "verification.messages": "Messages over a photograph",
    "verification.letters": "Letters of graphics",
    "verification.spots": "Small places that differ",
    "verification.colours": "Colours",
    "verification.small_pictures": "Small pictures",
    "verification.clipping": "Clipped light",
    "verification.bends": "Bends",
    "verification.edges": "Edges",
    "verification.faint": "What is faint",
    "verification.gate_thresholds": "Gates",
    "verification.surroundings": "Frames and crops",
    "verification.edit_report": "Edits reported",
    "grouping.groups": "Groups",
    "originality.earlier_coding": "An earlier JPEG of the other file",
    "originality.overlays": "Text and stickers put over",
    "originality.pair_evidence": "Which was made from which",
    "originality.inheritance": "What a group has in common",
    "originality.group_evidence": "What all pairs of a group show",
    "originality.file_signs": "Names and times",
    "originality.model": "Certainty",
    "grouping.keeper": "The image to keep",
}


def structures(module: str) -> Iterator[tuple[str, Any]]:
    """The structures of thresholds that a module of index.imaging defines, by the name of the constant."""
    loaded = import_module(f"index.imaging.{module}")
    for name, value in vars(loaded).items():
        if is_dataclass(value) and not isinstance(value, type) and type(value).__module__ == loaded.__name__:
            yield name, value


def all_thresholds() -> str:
    """Every threshold with its value, unit and reason."""
    header = "| threshold | value | unit | reason |\n|---|---|---|---|\n"
    parts = []
    for module, title in MODULES.items():
        path = f"index/imaging/{module.replace('.', '/')}.py"
        parts.append(f"## {title}\n\n`{path}`\n")
        for name, structure in structures(module):
            rows = [
                f"| `{threshold.name}` | {shown(threshold.value)} | {threshold.unit} | {threshold.reason} |\n"
                for threshold in described(structure)
            ]
            parts.append(f"**{name}** · {summary(structure)}\n\n{header}{''.join(rows)}")
    return "\n".join(parts)


def summary(structure: Any) -> str:
    """The docstring of a structure, as one line."""
    return re.sub(r"\s+", " ", type(structure).__doc__ or "").strip()


def shown(value: object) -> str:
    """A value as it is written in a table."""
    if isinstance(value, frozenset | tuple):
        return ", ".join(shown(item) for item in (sorted(value) if isinstance(value, frozenset) else value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def gate_table() -> str:
    """The gates of the verifier in the order in which they are applied, with their limits."""
    rows: list[tuple[str, Any, str, str]] = []

    def add(gate: str, measured: Any, limit: str, source: str = "") -> None:
        rows.append((gate, measured if isinstance(measured, str) else summary(measured), limit, source))

    tolerance = default_tolerance(16)
    add("hash", "Bits in which the hashes differ, in the best of 8 turns.", f"{tolerance} of 256", "imagehash's phash")
    of_crop = f"{crop_tolerance(tolerance)} of 256"
    add("part", "The same, unturned, between a picture and a part of the other.", of_crop)
    texture = gates.TEXTURE
    few = f"{texture.min_blocks_of_few} that agree perfectly"
    add("texture", texture, f"at least {texture.min_blocks}, or {few}")
    add("contained", gates.CONTAINED, f"at least {gates.CONTAINED.min_share:.2f}")
    add("exclusive", gates.EXCLUSIVE, f"at most {gates.EXCLUSIVE.max_share}")
    add(
        "correlation",
        gates.CORRELATION,
        f"at least {gates.CORRELATION.min_median}",
        "structure term of SSIM, Wang 2004",
    )
    different, stamp = gates.DIFFERENT, gates.STAMP
    stamped = f"{stamp.max_area:.2f} in one place or two and {stamp.max_elsewhere} elsewhere"
    limit = f"{different.max_share}, or {stamped}; {different.max_share_of_graphic} in a graphic"
    add("different", f"The share of the blocks that correlate below {BLOCKS.different}.", limit)
    add(
        "witnesses", gates.WITNESSES,
        f"at least {gates.WITNESSES.min_blocks}; in thumbnails and stretched copies that a hash proposes "
        f"{gates.WITNESSES.min_blocks_by_hash}, or a correlation of {gates.WITNESSES.min_correlation}",
    )  # fmt: skip
    shift = f"{gates.REGISTRATION.max_shift_px:.2f} pixels, with exceptions"
    add("registration", gates.REGISTRATION, shift, "Lucas and Kanade 1981")
    add("edges", EDGES, f"at most {EDGES.max_px} pixels, or the same noise")
    places = "Places that differ and are not shown to be added to one of the two, in the frame of 448 pixels."
    add("added", places, "0; in a graphic nothing may be added")
    mapping = (
        "Places that leave the mapping which holds for all other colours; in small pictures the largest difference."
    )
    add("colour", mapping, f"0; {SMALL.max_difference:g} levels where both have at most {SMALL.max_side_px} pixels")
    kept = "The share that each of the two keeps and the other has lost to white or black, in the lesser direction."
    add("clipped", kept, f"less than {CLIPPING.min_share}")
    agreement = f"{gates.EXPOSURE.still_weak} or {gates.EXPOSURE.still_strong}, by the strength of the noise"
    add("exposure", gates.EXPOSURE, agreement, "after Lukas and others 2006")
    add(
        "bends", BENDS,
        f"at most {BENDS.max_px}, apart from a clear stretch, where the noise is not compared; where a hash proposes"
        f" the pair, only if fine detail correlates below {gates.REGISTRATION.min_coherence}",
    )  # fmt: skip
    add("faint", FAINT, f"at least {FAINT.min_agreement} where no hash proposes the pair")
    add("inside", "Whether what is inside the borders of both is the same, all but the finest detail.", "1")
    several = "Frames or pages: only the first is aligned with the other's; those equal in all were found before."
    add("frames", several, "one in both")
    add("background", "Whether two pictures that are both transparent in parts are the same on black as well.", "1")
    add("attachments", "Films and further pictures behind both.", "the same bytes")
    noise = f"equal, hours and half hours apart, or noise correlated by {gates.NOISE.same_coherence}"
    add("capture", "Time and camera, where both files have them.", noise)
    recorded = (
        "What both files record of the exposure and record differently; both as one camera wrote them counts too."
    )
    add("records", recorded, "0")
    add("readable", gates.READABLE, f"{gates.READABLE.max_lost}, or {gates.READABLE.max_lost_noisy} with noise")
    add("detail", gates.DETAIL, f"{gates.DETAIL.max_share}, or {gates.DETAIL.max_share_noisy} with noise")
    letters = "Places of a graphic with other letters, in previews of up to 1,024 pixels."
    add("letters", letters, "0")
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    return "| gate | what is measured | limit | source |\n|---|---|---|---|\n" + "".join(lines)


def reliability_table() -> str:
    """How often proposals of each certainty were right, on kinds of copies that the weights were fitted without."""
    fitted = _fitted_weights()
    of_all = fitted["held_out"]
    summed = (
        f"\nOf {of_all['cases']} proposals {100 * of_all['sure_and_right']:.1f} % were certain and right,"
        f" {100 * of_all['sure_and_wrong']:.1f} % certain and wrong; all others are ties.\n"
    )
    return _diagram(fitted["reliability"]) + summed


def reliability_of_groups() -> str:
    """The same of groups of three and more pictures."""
    return _diagram(_fitted_weights()["reliability_of_groups"])


def _fitted_weights() -> dict[str, Any]:
    fitted: dict[str, Any] = json.loads((TOP / "index/imaging/originality/weights.json").read_text("utf-8"))
    return fitted


def _diagram(lines: list[dict[str, float]]) -> str:
    rows = [
        f"| {line['from']:.2f} to {line['to']:.2f} | {line['cases']} | {line['certainty']:.3f} | {line['right']:.3f}"
        f" | {'#' * round(40 * line['right'])} |\n"
        for line in lines
    ]
    return "| certainty | cases | mean | right | |\n|---|---|---|---|---|\n" + "".join(rows)


# Of each generated block, its file and what makes it.
GENERATED: dict[str, tuple[str, Callable[[], str]]] = {
    "gates": ("thresholds.md", gate_table),
    "thresholds": ("thresholds.md", all_thresholds),
    "reliability": ("measurements/originals.md", reliability_table),
    "reliability of groups": ("measurements/originals.md", reliability_of_groups),
}


def with_block(text: str, name: str, content: str) -> str:
    """A document with the content of one of its blocks replaced."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"There is no block {name}.")
    return before + begin + "\n" + content + "\n" + end + after


def main() -> None:
    for name, (file, make) in GENERATED.items():
        path = DOCS / file
        path.write_text(with_block(path.read_text("utf-8"), name, make()), "utf-8")


if __name__ == "__main__":
    main()
