"""The verifier: altered copies are the same picture, whatever was done to them; look-alikes are not."""

import io
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from index.imaging.verification import transforms
from index.imaging.verification.edit_evidence import reversed_evidence, sentence
from index.imaging.verification.verify import Judgement, judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph, stamped

SEEDS = (1, 2)


def view(picture: Image.Image) -> np.ndarray:
    """As the views on disk are: at most 512 pixels, through a JPEG."""
    small = picture.convert("RGB")
    small.thumbnail((512, 512), Image.Resampling.LANCZOS)
    return np.asarray(jpeg(small, 88))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def facts(picture: Image.Image, quality: int = 90) -> Facts:
    return Facts("JPEG", *picture.size, jpeg_quality=quality)


def compare(first: Image.Image, second: Image.Image, hint: Turn | None = Turn.NONE, quality: int = 90) -> Judgement:
    return judge(prepare(view(first)), prepare(view(second)), facts(first), facts(second, quality), hint)


def original(seed: int) -> Image.Image:
    return photograph(seed, 800, 600)


def noisy(picture: Image.Image, sigma: float, seed: int = 0) -> Image.Image:
    values = np.asarray(picture, np.float32)
    values = values + np.random.default_rng(seed).normal(0, sigma, values.shape)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def cropped(picture: Image.Image, area: float, where: tuple[float, float] = (0.3, 0.6)) -> Image.Image:
    width, height = round(picture.width * area**0.5), round(picture.height * area**0.5)
    left, top = round((picture.width - width) * where[0]), round((picture.height - height) * where[1])
    return picture.crop((left, top, left + width, top + height))


def logo_at(picture: Image.Image, left: int, top: int) -> Image.Image:
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    draw.ellipse((left, top, left + 80, top + 80), fill=(255, 200, 0), outline="black", width=6)
    draw.text((left + 14, top + 26), "2019", fill="black", font_size=24)
    return marked


def screenshot(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 800), (240, 240, 243))
    ImageDraw.Draw(screen).rectangle((0, 0, 1280, 48), fill=(50, 54, 66))
    screen.paste(picture.resize((900, 675)), (330, 80))
    return screen


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "quality 8": lambda p: jpeg(p, 8),
    "twice compressed": lambda p: jpeg(jpeg(p.resize((640, 480)), 60), 70),
    "thumbnail": lambda p: p.resize((160, 120), Image.Resampling.LANCZOS),
    "half": lambda p: p.resize((400, 300), Image.Resampling.LANCZOS),
    "stretched": lambda p: p.resize((840, 570)),
    "dark": lambda p: ImageEnhance.Brightness(p).enhance(0.5),
    "bright": lambda p: ImageEnhance.Brightness(p).enhance(1.3),
    "gamma": lambda p: p.point([round(255 * (i / 255) ** 1.6) for i in range(256)] * 3),
    "contrast": lambda p: ImageEnhance.Contrast(p).enhance(0.6),
    "grey": lambda p: ImageOps.grayscale(p).convert("RGB"),
    "noise": lambda p: noisy(p, 12),
    "blur": lambda p: p.filter(ImageFilter.GaussianBlur(2)),
    "sharpen": lambda p: p.filter(ImageFilter.UnsharpMask(3, 120, 2)),
    "sharpened twice": lambda p: p.filter(ImageFilter.SHARPEN).filter(ImageFilter.SHARPEN),
    "ringing": lambda p: p.filter(ImageFilter.UnsharpMask(5, 200, 2)),
    "caption": stamped,
    "caption and logo": lambda p: logo_at(stamped(p), 40, 30),
    "crop 5 %": lambda p: cropped(p, 0.95),
    "crop 15 %": lambda p: cropped(p, 0.85),
    "tilt": lambda p: p.rotate(2, Image.Resampling.BICUBIC),
    "border": lambda p: ImageOps.expand(p, border=20, fill="white"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_an_altered_copy_is_the_same_picture(name: str, seed: int):
    quality = 8 if name == "quality 8" else 90
    said = compare(original(seed), ALTERATIONS[name](original(seed)), quality=quality)
    assert said.kind is Kind.NEAR, said.gates
    assert said.confidence > 0.5


def test_what_differs_in_a_third_place_or_in_the_middle_too_is_only_possible():
    beside = logo_at(stamped(original(1)), 40, 30)
    for left, top in [(640, 30), (340, 240)]:
        assert compare(original(1), logo_at(beside, left, top)).kind is not Kind.NEAR


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("alter", [lambda p: cropped(p, 0.6), screenshot, lambda p: ImageOps.mirror(cropped(p, 0.7))])
def test_what_a_hash_cannot_see_is_found_without_its_hint(alter, seed: int):
    assert compare(original(seed), alter(original(seed)), hint=None).kind is Kind.NEAR


TURNS = {
    Turn.FLIP_HORIZONTAL: Image.Transpose.FLIP_LEFT_RIGHT,
    Turn.FLIP_VERTICAL: Image.Transpose.FLIP_TOP_BOTTOM,
    Turn.ROTATE_180: Image.Transpose.ROTATE_180,
    Turn.TRANSPOSE: Image.Transpose.TRANSPOSE,
    Turn.ROTATE_90: Image.Transpose.ROTATE_270,  # Pillow counts against the clock
    Turn.ROTATE_270: Image.Transpose.ROTATE_90,
    Turn.TRANSVERSE: Image.Transpose.TRANSVERSE,
}


@pytest.mark.parametrize("mirrored", [False, True])
def test_alignment_starts_from_an_approximate_transform_where_one_is_given(
    mirrored: bool, monkeypatch: pytest.MonkeyPatch
):
    part = original(1).crop((100, 75, 700, 525))
    copy = jpeg(ImageOps.mirror(part) if mirrored else part, 60)
    # In views of 512 pixels; some of the transform is wrong.
    over = np.array([[1.32, 0, -82.0], [0, 1.34, -67], [0, 0, 1]])
    if mirrored:
        over = np.array([[-1.0, 0, 511], [0, 1, 0], [0, 0, 1]]) @ over
    monkeypatch.setattr(transforms, "fit", lambda *_: None)
    one, other = prepare(view(original(1))), prepare(view(copy))
    of_one, of_other = facts(original(1)), facts(copy, 60)
    assert judge(one, other, of_one, of_other, None).kind is None
    said = judge(one, other, of_one, of_other, None, [over])
    assert said.kind is Kind.NEAR
    assert (said.turn is Turn.FLIP_HORIZONTAL) == mirrored
    back = judge(other, one, of_other, of_one, None, [np.linalg.inv(over)])
    assert (back.kind, back.turn) == (said.kind, said.turn.inverse)


def test_a_transform_from_corners_stands_where_refining_by_brightness_leads_away(monkeypatch: pytest.MonkeyPatch):
    part = original(3).crop((100, 75, 700, 525))
    ImageDraw.Draw(part).rectangle((0, 0, 600, 60), "white")
    over = np.array([[1.3333, 0, -85.0], [0, 1.3333, -64], [0, 0, 1]])
    away = np.array([[1.0, 0, 9], [0, 1, 20], [0, 0, 1]])
    monkeypatch.setattr(transforms, "refine", lambda _first, _second, start, *_: away @ start)
    monkeypatch.setattr(transforms, "fit", lambda *_: None)
    one, other = original(3), part
    said = judge(prepare(view(one)), prepare(view(other)), facts(one), facts(other), None, [over])
    assert said.kind is Kind.NEAR


@pytest.mark.parametrize("placed", [[], [np.diag([1.0, 1.0, 1.0])]])
def test_a_proposal_of_features_that_is_not_confirmed_is_not_examined_further(
    placed: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    looked: list[object] = []
    monkeypatch.setattr(transforms, "features", looked.append)
    one, other = original(1), original(2)
    said = judge(prepare(view(one)), prepare(view(other)), facts(one), facts(other), None, placed)
    assert said.kind is None
    assert failed(said) == ["aligned"]
    assert not looked


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("hinted", [True, False])
def test_the_turn_is_reported(turn: Turn, hinted: bool):
    said = compare(original(1), original(1).transpose(TURNS[turn]), turn if hinted else None)
    assert said.kind is Kind.NEAR
    assert said.evidence["turn"] == turn


def test_unrelated_pictures_are_not_the_same_whatever_the_hint():
    for turn in (Turn.NONE, Turn.ROTATE_90, None):
        assert compare(original(1), original(2), turn).kind is None


def moved_camera(picture: Image.Image) -> Image.Image:
    """The scene a second later: near things have moved more than far ones, leaves a little, the noise is another."""
    grey = np.asarray(picture)
    height, width = grey.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    sway = np.random.default_rng(3).normal(0, 1, (2, 12, 16)).astype(np.float32)
    sway_x, sway_y = (cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in sway)
    to_x, to_y = columns + 3 + 1.5 * sway_x, rows + 1.5 * sway_y
    moved = cv2.remap(grey, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return noisy(Image.fromarray(moved), 3, seed=9)


@pytest.mark.parametrize("seed", SEEDS)
def test_another_exposure_of_the_scene_is_not_the_same_picture(seed: int):
    assert compare(noisy(original(seed), 3), moved_camera(original(seed))).kind is not Kind.NEAR


def exposure(seed: int, sigma: float = 8) -> Image.Image:
    """The scene from a tripod: nothing has moved, but each exposure has its own noise."""
    return jpeg(noisy(original(1).filter(ImageFilter.GaussianBlur(2)), sigma, seed), 95)


def test_the_noise_distinguishes_two_exposures_from_a_tripod():
    said = compare(exposure(1), exposure(2), quality=95)
    assert said.kind is Kind.POSSIBLE
    assert [gate.name for gate in said.gates if not gate.passed] == ["exposure"]
    assert compare(exposure(1), jpeg(exposure(1), 85), quality=85).kind is Kind.NEAR
    assert compare(exposure(1), noisy(exposure(1), 10)).kind is Kind.NEAR


WHOLE, PART = (0, 0, 1600, 1200), (300, 200, 1300, 950)


def taken(part: tuple[int, int, int, int], *, soft: float, sigma: float) -> Image.Image:
    """A part of a soft print, through a lens that bends it by a tenth of a pixel, with noise of its own."""
    print_ = photograph(3, 1600, 1200).filter(ImageFilter.GaussianBlur(soft))
    seen = np.asarray(print_.crop(part).resize((800, 600), Image.Resampling.LANCZOS))
    rows, columns = np.mgrid[:600, :800].astype(np.float32)
    seed = 1 if part == WHOLE else 2
    bent = np.random.default_rng(seed).normal(0, 0.1, (2, 6, 8)).astype(np.float32)
    bent_x, bent_y = (cv2.resize(one, (800, 600), interpolation=cv2.INTER_CUBIC) for one in bent)
    through = cv2.remap(seen, columns + bent_x, rows + bent_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return noisy(Image.fromarray(through), sigma, seed)


def cut_out(picture: Image.Image) -> Image.Image:
    return jpeg(picture.crop(tuple(side // 2 for side in PART)), 75)


def failed(said: Judgement) -> list[str]:
    return [gate.name for gate in said.gates if not gate.passed]


def test_two_photographs_of_a_print_that_no_hash_speaks_for_are_only_possible():
    whole, part = taken(WHOLE, soft=4, sigma=4), taken(PART, soft=4, sigma=4)
    for said in (compare(whole, part, None, 75), compare(part, whole, None, 75)):
        assert said.kind is Kind.POSSIBLE
        assert failed(said) == ["registration"]
    assert compare(whole, part, Turn.NONE, 75).kind is Kind.NEAR, "nothing else distinguishes them"
    assert compare(whole, cut_out(whole), None, 75).kind is Kind.NEAR


def test_what_no_hash_speaks_for_is_only_possible_where_hardly_any_detail_can_be_measured():
    whole = taken(WHOLE, soft=8, sigma=8)
    said = compare(whole, cut_out(whole), None, 75)
    assert said.kind is Kind.POSSIBLE
    assert failed(said) == ["witnesses"]


def test_details_that_are_a_little_out_of_place_are_let_pass_only_where_a_hash_speaks_for_the_pair():
    whole = noisy(original(1), 3)
    rows, columns = np.mgrid[:600, :800].astype(np.float32)
    bent = np.random.default_rng(4).normal(0, 0.25, (2, 6, 8)).astype(np.float32)
    bent_x, bent_y = (cv2.resize(one, (800, 600), interpolation=cv2.INTER_CUBIC) for one in bent)
    through = cv2.remap(np.asarray(whole), columns + bent_x, rows + bent_y, cv2.INTER_CUBIC)
    soft = ImageEnhance.Contrast(Image.fromarray(through)).enhance(0.8).filter(ImageFilter.GaussianBlur(1.2))
    assert compare(whole, soft, Turn.NONE, 60).kind is Kind.NEAR
    said = compare(whole, soft, None, 60)
    assert said.kind is Kind.POSSIBLE
    assert failed(said) == ["registration"]


def test_a_still_out_of_an_animation_is_only_possible():
    still, moving = facts(original(1)), replace(facts(original(1)), frames=12, format="GIF")
    same = prepare(view(original(1)))
    said = judge(same, same, moving, still, Turn.NONE)
    assert (said.kind, failed(said)) == (Kind.POSSIBLE, ["frames"])
    assert sentence(said.evidence).startswith("only the first of 12 frames")
    assert sentence(reversed_evidence(said.evidence), "fr").startswith("la première de 12 images")
    both = judge(same, same, moving, moving, Turn.NONE)
    assert (both.kind, failed(both)) == (Kind.POSSIBLE, ["frames"])
    assert sentence(both.evidence).endswith("only the first of 12 frames or pages was compared")


def test_files_with_two_capture_times_are_only_possible_unless_the_noise_is_the_same():
    first, later = facts(original(1)), facts(original(1))
    first, later = replace(first, taken="2024-05-01T10:00:00"), replace(later, taken="2024-05-01T10:00:03")
    soft = prepare(view(jpeg(original(1).filter(ImageFilter.GaussianBlur(2)), 50)))
    said = judge(prepare(view(original(1))), soft, first, replace(later, jpeg_quality=50), Turn.NONE)
    assert said.kind is Kind.POSSIBLE
    assert [gate.name for gate in said.gates if not gate.passed] == ["capture"]
    assert said.evidence["taken"] == ["2024-05-01T10:00:00", "2024-05-01T10:00:03"]
    same = prepare(view(original(1)))
    assert judge(same, same, first, later, Turn.NONE).kind is Kind.NEAR
    one_camera, other = replace(first, camera="X100"), replace(first, camera="Z6")
    assert judge(prepare(view(original(1))), soft, one_camera, other, Turn.NONE).kind is Kind.POSSIBLE


def test_two_cut_outs_that_each_show_what_the_other_does_not_are_only_possible():
    whole = original(1)
    said = compare(whole.crop((0, 0, 770, 600)), whole.crop((30, 0, 800, 600)))
    assert said.kind is Kind.POSSIBLE
    assert "exclusive" in [gate.name for gate in said.gates if not gate.passed]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("strength", [0.5, 0.8])
def test_a_vignette_over_a_plain_wall_changes_nothing(seed: int, strength: float):
    bright = ImageEnhance.Brightness(original(seed)).enhance(1.2)
    ImageDraw.Draw(bright).rectangle((0, 0, 120, 600), fill=(235, 230, 224))
    rows, columns = np.mgrid[:600, :800]
    falling = 1 - strength * ((columns / 800 - 0.5) ** 2 + (rows / 600 - 0.5) ** 2) * 2
    dim = Image.fromarray((np.asarray(bright) * falling[..., None]).astype(np.uint8))
    assert compare(bright, dim).kind is Kind.NEAR


@pytest.mark.parametrize("seed", SEEDS)
def test_what_brightening_made_white_does_not_count(seed: int):
    washed = ImageEnhance.Brightness(original(seed)).enhance(1.7)
    assert compare(original(seed), washed).kind is Kind.NEAR


def on_a_wall(seed: int, wall: tuple[int, int, int] = (214, 208, 200)) -> Image.Image:
    picture = ImageEnhance.Contrast(original(seed)).enhance(1.8)
    ImageDraw.Draw(picture).rectangle((0, 0, 420, 600), fill=wall)
    return picture


def grainy(picture: Image.Image, sigma: float) -> Image.Image:
    """With the grain of film, coarse enough to be seen in a view."""
    grain = np.random.default_rng(5).normal(0, 1, (picture.height, picture.width)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 2.2)
    values = np.asarray(picture, np.float32) + (sigma / grain.std() * grain)[..., None]
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("seed", SEEDS)
def test_grain_on_a_plain_wall_is_no_texture(seed: int):
    assert compare(on_a_wall(seed), grainy(on_a_wall(seed), 10)).kind is Kind.NEAR


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("wall", [(214, 208, 200), (40, 36, 50), (128, 128, 120)])
def test_an_object_on_a_plain_wall_is_no_change_of_tone(seed: int, wall: tuple[int, int, int]):
    bare = on_a_wall(seed, wall)
    hung = bare.copy()
    for number in range(6):
        hung.paste(original(seed + 10 + number).resize((170, 170)), (20 + 200 * (number % 2), 20 + 200 * (number // 2)))
    assert compare(bare, hung).kind is not Kind.NEAR
    assert compare(bare, grainy(hung, 10)).kind is not Kind.NEAR
    assert compare(hung, ImageOps.equalize(hung)).kind is Kind.NEAR


def form(*entries: str) -> Image.Image:
    """The same form, filled in."""
    paper = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(paper)
    draw.text((180, 30), "INVOICE", fill="black", font_size=48)
    for number, label in enumerate(("Name", "Street", "City", "Date", "Amount", "Tax", "Total")):
        draw.text((40, 120 + 90 * number), label, fill="black", font_size=28)
        draw.rectangle((200, 115 + 90 * number, 560, 165 + 90 * number), outline="black", width=2)
        draw.text((215, 120 + 90 * number), entries[number % len(entries)], fill="black", font_size=30)
    return paper


def test_a_form_filled_in_again_is_not_the_same_picture():
    assert compare(form("Anna Weber", "12.40"), form("Jules Petit", "99.05")).kind is not Kind.NEAR
    assert compare(form("Anna Weber", "12.40"), jpeg(form("Anna Weber", "12.40"), 60)).kind is Kind.NEAR


@pytest.mark.parametrize("sharpen", [ImageFilter.UnsharpMask(3, 180, 2), ImageFilter.UnsharpMask(1, 250, 0)])
def test_a_sharpened_form_says_the_same_and_another_does_not(sharpen: ImageFilter.Filter):
    scanned = form("Anna Weber", "12.40").filter(ImageFilter.GaussianBlur(1.2))
    other = form("Anna Weber", "12.47").filter(ImageFilter.GaussianBlur(1.2))
    assert compare(scanned, scanned.filter(sharpen)).kind is Kind.NEAR
    assert compare(scanned, other.filter(sharpen)).kind is not Kind.NEAR


def test_one_changed_line_on_a_form_is_not_the_same_picture():
    first, second = form("Anna"), form("Anna")
    ImageDraw.Draw(second).rectangle((205, 480, 555, 520), fill="white")
    ImageDraw.Draw(second).text((215, 480), "Other", fill="black", font_size=30)
    assert compare(first, second).kind is not Kind.NEAR


def test_paper_that_is_not_plain_for_noise_is_paper_all_the_same():
    first, second = form("Anna"), form("Anna")
    ImageDraw.Draw(second).rectangle((205, 480, 555, 520), fill="white")
    ImageDraw.Draw(second).text((215, 480), "Other", fill="black", font_size=30)
    assert compare(noisy(first, 6, 1), noisy(second, 6, 2)).kind is not Kind.NEAR
    assert compare(noisy(first, 6, 1), jpeg(noisy(first, 6, 1), 85)).kind is Kind.NEAR


def thumbnail(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((160, 160), Image.Resampling.LANCZOS)
    return small


def test_what_cannot_be_read_in_a_thumbnail_is_only_possible_but_shapes_can_be_seen():
    paper = form("Anna Weber", "12.40")
    said = compare(paper, thumbnail(paper))
    assert said.kind is Kind.POSSIBLE
    assert [gate.name for gate in said.gates if not gate.passed] == ["readable"]
    thing = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(thing)
    draw.ellipse((200, 100, 520, 480), fill=(160, 40, 60))
    draw.rectangle((420, 220, 640, 520), fill=(40, 70, 150))
    draw.polygon([(120, 540), (300, 300), (380, 560)], fill=(60, 130, 70))
    assert compare(thing, thumbnail(thing)).kind is Kind.NEAR


def faint(seed: int) -> Image.Image:
    """A field in the mist: nowhere more than a few levels from grey."""
    coarse = np.random.default_rng(seed).normal(0, 5, (60, 80)).astype(np.float32)
    field = cv2.resize(coarse, (800, 600), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray((128 + field).astype(np.uint8)).convert("RGB")


def test_a_faint_picture_is_distinguished_from_another():
    assert compare(faint(1), jpeg(faint(1), 85)).kind is Kind.NEAR
    assert compare(faint(1), faint(2)).kind is not Kind.NEAR


@pytest.mark.parametrize("quality", [20, 40, 60])
def test_noise_that_came_through_a_poor_jpeg_is_still_of_one_exposure(quality: int):
    grainy = noisy(original(1), 8)
    assert compare(grainy, jpeg(jpeg(grainy, quality), 92)).kind is Kind.NEAR


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_are_never_surely_the_same(level: int):
    first = Image.new("RGB", (400, 300), (level, level, level))
    second = noisy(Image.new("RGB", (400, 300), (level, 128, level)), 1)
    assert compare(first, second).kind is not Kind.NEAR


def test_tiny_pictures_are_judged_too():
    small = original(1).resize((20, 15))
    assert compare(small, small).kind in (Kind.NEAR, Kind.POSSIBLE, None)


def test_pictures_of_hardly_a_pixel_and_pictures_that_agree_nowhere_are_judged_too():
    dot = Image.new("RGB", (3, 1), "yellow")
    assert compare(dot, Image.new("RGB", (3, 1), "teal"), None).kind is not Kind.NEAR
    box, bar = Image.new("RGB", (100, 100)), Image.new("RGB", (100, 100))
    ImageDraw.Draw(box).rounded_rectangle((10, 20, 90, 80), 30, fill="maroon", outline="olive", width=5)
    ImageDraw.Draw(bar).rectangle((25, 25, 75, 75), fill="blue", outline="green", width=5)
    assert compare(box, bar).kind is not Kind.NEAR


@pytest.mark.parametrize("name", ["half", "crop 15 %", "caption", "grey"])
def test_the_verdict_does_not_depend_on_which_comes_first(name: str):
    there = compare(original(1), ALTERATIONS[name](original(1)))
    back = compare(ALTERATIONS[name](original(1)), original(1))
    assert there.kind is back.kind is Kind.NEAR


def test_the_gates_say_why():
    said = compare(original(1), original(2))
    assert not all(gate.passed for gate in said.gates)
    assert {gate.name for gate in said.gates} >= {"texture", "contained", "correlation", "different"}


def test_evidence_describes_what_was_done():
    half = compare(original(1), ImageOps.mirror(original(1)).resize((400, 300)), Turn.FLIP_HORIZONTAL).evidence
    assert half["turn"] == "flip_horizontal"
    assert half["scale"] == pytest.approx(0.5, abs=0.01)
    crop = compare(original(1), cropped(original(1), 0.85)).evidence["crop"]
    x0, y0, x1, y1 = crop["box"]
    assert crop["of"] == "first"
    assert (x1 - x0) * (y1 - y0) == pytest.approx(0.85, abs=0.02)
    assert compare(original(1), ALTERATIONS["grey"](original(1))).evidence["tone"]["grey"] == "second"
    assert compare(original(1), ALTERATIONS["dark"](original(1))).evidence["tone"]["brightness"] < -20
    assert compare(original(1), ALTERATIONS["tilt"](original(1))).evidence["tilt"] == pytest.approx(-2, abs=0.3)


def test_evidence_describes_colours_sharpness_and_proportions():
    first = noisy(original(1), 3)
    assert compare(first, ImageEnhance.Color(first).enhance(2)).evidence["tone"]["saturation"] > 1.4
    red, green, blue = first.split()
    warm = Image.merge("RGB", (red.point(lambda v: v * 1.1), green, blue.point(lambda v: v * 0.8)))
    assert compare(first, warm).evidence["tone"]["warmth"] > 12
    blurred = compare(first, first.filter(ImageFilter.GaussianBlur(2.2))).evidence
    assert blurred.get("sharpness", blurred.get("noise")) < 0.7
    assert compare(first, first.filter(ImageFilter.UnsharpMask(3, 200, 0))).evidence["sharpness"] > 1.6
    assert compare(first, noisy(first, 14)).evidence["noise"] > 1.6
    squeezed = first.resize((600, 600))
    assert compare(first, squeezed).evidence["stretch"] == pytest.approx(0.75, abs=0.01)
    turned = squeezed.transpose(Image.Transpose.ROTATE_90)
    assert compare(first, turned, Turn.ROTATE_270).evidence["stretch"] == pytest.approx(1 / 0.75, abs=0.02)
    assert {"tone", "sharpness", "noise", "stretch"}.isdisjoint(compare(first, jpeg(first, 90)).evidence)


def test_a_judgement_does_not_depend_on_what_was_compared_before() -> None:
    """What is computed of a picture is kept for its further pairs, and changes nothing in them."""
    picture = original(1)
    shown = [
        picture, picture.resize((400, 300)), ImageEnhance.Brightness(picture).enhance(1.3), ImageOps.mirror(picture),
        cropped(picture, 0.9), ImageOps.autocontrast(picture.convert("L")), original(2),
    ]  # fmt: skip
    views, known = [view(one) for one in shown], [facts(one) for one in shown]
    together = [prepare(one) for one in views]
    pairs = [(a, b) for a in range(len(views)) for b in range(a + 1, len(views))]
    for a, b in pairs:
        hint = Turn.FLIP_HORIZONTAL if 3 in (a, b) else Turn.NONE
        alone = judge(prepare(views[a]), prepare(views[b]), known[a], known[b], hint)
        assert judge(together[a], together[b], known[a], known[b], hint) == alone


def test_a_map_that_moves_nothing_warps_nothing() -> None:
    grey = np.random.default_rng(3).uniform(0, 255, (170, 256)).astype(np.float32)
    rounded = np.eye(3) + np.random.default_rng(4).uniform(-1e-12, 1e-12, (3, 3))
    moved = cv2.warpPerspective(grey, rounded, (256, 170), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.array_equal(transforms.warp(grey, grey.shape, rounded), moved)
    assert not transforms.moves_nothing(grey.shape, (170, 255), np.eye(3))
    assert not transforms.moves_nothing(grey.shape, grey.shape, transforms.stretch((100, 100), (100, 101)))
