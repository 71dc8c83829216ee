"""PURE: a group of pictures, their files and what their pairs show -> which picture is the original, and how sure.

Contents with equal pixels are one picture. Each pair of pictures gets its log-odds (`model`), the group the posterior
over its pictures. It is sure only where the posterior says so, no proof speaks against the picture, and each of the
others was made from some picture of the group, as a pair says more strongly than signs alone could. That need not be
the pair with the original: what was made from a copy is not the root either.

In a larger group some copy often has signs only. Then what the group has in common decides between it and the likeliest
picture (`inheritance`). Where that leaves doubt, all pairs are counted together as a second opinion (`group_evidence`):
it makes the likeliest picture sure, and never another one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.originality.file_signs import FileSeen, file_signs, path_signs
from index.imaging.originality.group_evidence import GROUP, chances, group_evidence, scores
from index.imaging.originality.inheritance import GroupWeights, precedence
from index.imaging.originality.model import (
    CERTAIN,
    PROOFS,
    Findings,
    contributions,
    likelihood,
    log_odds,
    posterior,
    share_of_two,
)

Pair = tuple[int, int]
# What says that the second was made from the first, and what says the opposite.
PairFindings = tuple[Findings, Findings]
UNFITTED: Final = GroupWeights()
NO_WEIGHTS: Final[Mapping[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Standing:
    """How likely each picture is the original. `sure` holds of the likeliest; `disproved` are those with a proof
    against them; `speaks[a, b]` holds what each finding adds to the log-odds that b was made from a."""

    shares: Mapping[int, float]
    sure: bool
    disproved: frozenset[int] = frozenset()
    speaks: Mapping[Pair, Mapping[str, float]] = field(default_factory=dict)

    @property
    def best(self) -> int:
        return max(self.shares, key=lambda picture: (round(self.shares[picture], 6), -picture))

    @property
    def absent(self) -> bool:
        """Whether a proof speaks against every picture, so that the original is not here."""
        return len(self.disproved) == len(self.shares) > 0


def standing(
    picture_of: Mapping[int, int],
    files: Mapping[int, Sequence[FileSeen]],
    findings: Mapping[Pair, PairFindings],
    given: Mapping[str, float],
    of_group: GroupWeights = UNFITTED,
    of_counts: Mapping[str, float] = NO_WEIGHTS,
) -> Standing:
    """The standing of the pictures of a group.

    `picture_of` gives the picture of each content, `files` the files of each content, `findings` what pairs of contents
    show, `given` the weights, `of_group` those of what the group has in common, `of_counts` those of `group_evidence`,
    without which there is no second opinion. A pair of pictures that was not compared follows from those that both were
    compared with, at half its weight.
    """
    pictures = sorted(set(picture_of.values()))
    if len(pictures) == 1:
        return Standing({pictures[0]: 1.0}, sure=True)
    seen: dict[int, list[FileSeen]] = {picture: [] for picture in pictures}
    for content_id, picture in picture_of.items():
        seen[picture] += files.get(content_id, ())
    shown = {picture: _shown(of_picture) for picture, of_picture in seen.items()}
    speaks, shows = _of_pictures(picture_of, findings, shown, given)
    speaks |= {(b, a): {name: -value for name, value in found.items()} for (a, b), found in speaks.items()}
    disproved = frozenset(
        b for (_, b), found in speaks.items() if log_odds(found) > 0 and _proofs(found) >= CERTAIN.proof_against
    )
    if len(pictures) == 2:
        # Nearly all groups: without arrays in a sixth of the time.
        first_made_second = log_odds(speaks.get((pictures[0], pictures[1]), {}))
        share = [share_of_two(first_made_second), share_of_two(-first_made_second)]
        accounted = abs(first_made_second) > CERTAIN.most_of_signs
    else:
        odds, known = _matrix(pictures, speaks, log_odds)
        place = {picture: number for number, picture in enumerate(pictures)}
        ahead = precedence(
            len(pictures),
            (((place[picture_of[a]], place[picture_of[b]]), both) for (a, b), both in findings.items()),
            of_group,
        )
        of_all = posterior(complete(odds, known)) * np.exp(ahead - ahead.max())
        likeliest = int(np.argmax(of_all))
        lead = ahead[likeliest] - ahead
        share = (of_all / of_all.sum()).tolist()
        of_proofs = _matrix(pictures, speaks, _bounded_proofs)[0]
        accounted = _are_accounted_for(odds, known, lead, likeliest) and is_beyond_signs(
            likelihood(complete(odds, known)), likelihood(complete(of_proofs, known)), ahead
        )
    best = int(np.argmax(share))
    sure = share[best] >= CERTAIN.min_posterior and accounted and pictures[best] not in disproved
    if not sure and of_counts and len(pictures) > 2 and pictures[best] not in disproved:
        of_all, chosen = chances(*scores(_counted(pictures, shows), of_counts))
        if chosen and of_all[best] >= GROUP.min_counted and share[best] >= GROUP.min_by_pairs:
            share, sure = of_all.tolist(), True
    return Standing(dict(zip(pictures, share, strict=True)), sure, disproved, speaks)


def _of_pictures(
    picture_of: Mapping[int, int],
    findings: Mapping[Pair, PairFindings],
    shown: Mapping[int, FileSeen | None],
    given: Mapping[str, float],
) -> tuple[dict[Pair, dict[str, float]], dict[Pair, PairFindings]]:
    """What speaks for each pair of pictures, the lower number first, and what the pair shows.

    Of the contents with the same pixels, all but one were made from another one of them, by converting it or without
    its record. That one counts: the content that looks least like a copy of the other pictures.
    """
    of_contents: dict[Pair, tuple[dict[str, float], PairFindings]] = {}
    odds_of: defaultdict[int, list[float]] = defaultdict(list)
    for (first, second), (forward, back) in findings.items():
        one, other = shown[picture_of[first]], shown[picture_of[second]]
        if picture_of[first] == picture_of[second]:
            continue
        signs = (file_signs(one, other), file_signs(other, one)) if one and other else ({}, {})
        shows: PairFindings = ({**forward, **signs[0]}, {**back, **signs[1]})
        found = contributions(*shows, given)
        odds = log_odds(found)
        odds_of[first].append(odds)
        odds_of[second].append(-odds)
        of_contents[first, second] = found, shows
    lead = {content_id: fmean(odds) for content_id, odds in odds_of.items()}
    # Ids depend on which file was indexed first; the order of the contents does not.
    place = {content_id: -number for number, content_id in enumerate(picture_of)}
    in_order = sorted(
        of_contents, key=lambda pair: (sum(lead[one] for one in pair), sorted(place[one] for one in pair))
    )
    speaks: dict[Pair, dict[str, float]] = {}
    shows_of: dict[Pair, PairFindings] = {}
    # The last one counts.
    for first, second in in_order:
        found, shows = of_contents[first, second]
        pair = picture_of[first], picture_of[second]
        if pair[0] > pair[1]:
            pair, found, shows = pair[::-1], {name: -value for name, value in found.items()}, shows[::-1]
        speaks[pair], shows_of[pair] = found, shows
    return speaks, shows_of


def _counted(pictures: Sequence[int], shows: Mapping[Pair, PairFindings]) -> dict[str, NDArray[np.float64]]:
    place = {picture: number for number, picture in enumerate(pictures)}
    return group_evidence(len(pictures), (((place[a], place[b]), both) for (a, b), both in shows.items()))


def _matrix(
    pictures: Sequence[int], speaks: Mapping[Pair, Findings], value: Callable[[Findings], float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What speaks, by its value, for the second picture being made from the first, and which pairs were compared."""
    place = {picture: number for number, picture in enumerate(pictures)}
    odds = np.zeros((len(pictures), len(pictures)))
    known = np.zeros(odds.shape, np.bool_)
    for (first, second), found in speaks.items():
        odds[place[first], place[second]] = value(found)
        known[place[first], place[second]] = True
    return odds, known


def _are_accounted_for(
    odds: NDArray[np.float64], known: NDArray[np.bool_], lead: NDArray[np.float64], likeliest: int
) -> bool:
    """Whether all others were made from some picture; together those of which signs alone say so may be the original
    only as likely as a certain proposal may be wrong."""
    made = np.where(known, odds, -np.inf).max(axis=0)
    signs_only = made <= CERTAIN.most_of_signs
    signs_only[likeliest] = False
    if not known[likeliest][signs_only].all():
        return False
    doubt = np.exp(-(odds[likeliest] + lead))[signs_only].sum()
    return bool(doubt <= 1 / CERTAIN.min_posterior - 1)


def is_beyond_signs(by_all: NDArray[np.float64], by_proofs: NDArray[np.float64], ahead: NDArray[np.float64]) -> bool:
    """Whether the likeliest picture stays certain if all signs of a group together count over each other picture as
    those of one pair may: the names and times of one file are the same in all of its pairs."""
    likeliest = int(np.argmax(by_all + ahead))
    by_signs = by_all - by_proofs
    added = np.clip(by_signs[likeliest] - by_signs, -CERTAIN.most_of_signs, CERTAIN.most_of_signs)
    proven = by_proofs + ahead
    doubt = float(np.exp(proven - proven[likeliest] - added).sum()) - 1.0
    return doubt <= 1 / CERTAIN.min_posterior - 1


def complete(odds: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The odds with those of pairs that were not compared: the mean over what both were compared with, halved."""
    compared = known.astype(np.float64)
    ways = compared @ compared
    through = (odds * compared) @ compared + compared @ (odds * compared)
    filled = np.where(known, odds, np.where(ways > 0, 0.5 * through / np.maximum(ways, 1), 0.0))
    np.fill_diagonal(filled, 0.0)
    return np.asarray(filled, np.float64)


def _proofs(found: Findings) -> float:
    return sum(value for name, value in found.items() if name in PROOFS)


def _bounded_proofs(found: Findings) -> float:
    return min(CERTAIN.most_of_a_pair, max(-CERTAIN.most_of_a_pair, _proofs(found)))


def _shown(files: Collection[FileSeen]) -> FileSeen | None:
    """Of the files of one picture the one that looks least like a copy."""

    if len(files) == 1:
        return next(iter(files))

    def rank(file: FileSeen) -> tuple[bool, bool, int, bytes]:
        signs = path_signs(file.path)
        return signs.copy_mark, signs.messenger, file.mtime_ns, file.path

    return min(files, key=rank, default=None)
