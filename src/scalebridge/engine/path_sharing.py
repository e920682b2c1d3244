"""Points that share an answer: those whose loads agree, now and at every commit so far (a path signature).

One of each group leads: it is solved for, and its memory is the group's. The others take its answer, led to
their own load by its tangent. Groups start as one and only ever split, so that the loads that made the memory
which a point answers from were never farther from its own than the tolerance. How wrong that is, is found by
solving some of those that follow anew, from rest and along their own loads.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from scalebridge.core.errors import InputError

NOBODY = -1
"""In place of a leader: the point has no memory, and its answer is its own."""


@dataclass(frozen=True)
class PathShare:
    """How far points may share answers, and how that is watched.

    Args:
        tolerance: largest distance of two loads (norm of the difference of strains) at which points share.
            0 shares between points of equal loads only, and changes no answer.
        sample: sharing points of each process that are solved anew at every commit, along their own loads.
        error: largest error of any of these that passes, relative to the largest stress of any point.
        seed: of the choice of that sample.

    Example:
        >>> PathShare(1e-6).sample
        4
    """

    tolerance: float
    sample: int = 4
    error: float = 1e-3
    seed: int = 0


def settle_share(given: Any) -> PathShare | None:
    """Return how points share, of a tolerance or of settings; None for not at all.

    Raises:
        InputError: a number that cannot be right.

    Example:
        >>> settle_share(1e-6), settle_share(None)
        (PathShare(tolerance=1e-06, sample=4, error=0.001, seed=0), None)
    """
    if given is None:
        return None
    share = given if isinstance(given, PathShare) else PathShare(given)
    _refuse_number("share.tolerance", share.tolerance, "a strain of at least 0", share.tolerance, 0.0)
    _refuse_number("share.error", share.error, "a part of the stress of more than 0", share.error, 1e-300)
    for name, least in (("sample", 1), ("seed", 0)):
        value = getattr(share, name)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        _refuse_number(f"share.{name}", value, f"a whole number of at least {least}", value, least, whole)
    return share


def _refuse_number(name: str, got: Any, wanted: str, value: Any, least: float, sound: bool = True) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (sound and number and np.isfinite(value) and value >= least):
        raise InputError(name, got=repr(got), wanted=wanted, cure="correct it, or leave share out")


@dataclass(frozen=True)
class Paths:
    """What a checkpoint keeps of points that share.

    Args:
        ids: (n,) numbers of the points.
        owners: (n,) number of the point whose memory is theirs, -1 for none.
        born: (n,) commits before they had any.
        loads: (commits, n, k).
        durations: (commits,) s.
    """

    ids: np.ndarray
    owners: np.ndarray
    born: np.ndarray
    loads: np.ndarray
    durations: np.ndarray


class PathSharing:
    """Which points share, by their places among the points of one process.

    Args:
        points: how many there are.
        size: numbers of a load.
        tolerance: largest distance of two loads at which points share.

    Example:
        >>> sharing = PathSharing(3, 1, tolerance=0.1)
        >>> sharing.split([0, 1, 2], np.array([[0.0], [0.05], [1.0]]), 0.0)
        [0, 2]
        >>> sharing.commit()
        >>> sharing.split([0, 1, 2], np.array([[1.0], [1.0], [1.0]]), 0.0)  # what was apart stays apart
        [0, 2]
    """

    def __init__(self, points: int, size: int, tolerance: float):
        self.tolerance = tolerance
        self.owner = np.full(points, NOBODY, dtype=np.int64)  # whose memory, committed
        self.leader: np.ndarray | None = None  # whose answer, in the trial
        self.born = np.zeros(points, dtype=np.int64)
        self.loads: list[np.ndarray] = []
        self.durations: list[float] = []
        self._size = size
        self._trial: tuple[np.ndarray, float] | None = None

    def split(self, asked: list[int], loads: np.ndarray, dt: float) -> list[int]:
        """Group the points that are asked by memory and load; return those that lead.

        Args:
            asked: places of points that have a memory, or need one.
            loads: (points, k).
            dt: s.
        """
        places = np.asarray(asked, dtype=np.int64)
        leader = np.full(len(self.owner), NOBODY, dtype=np.int64)
        order = np.lexsort((places, places != self.owner[places], self.owner[places]))  # owners lead
        ordered = places[order]
        bounds = np.flatnonzero(np.diff(self.owner[ordered])) + 1
        for group in np.split(ordered, bounds):
            leader[group] = group[_leaders(loads[group], self.tolerance)]
        self.leader, self._trial = leader, (np.array(loads), dt)
        return [int(place) for place in places if leader[place] == place]

    def spread(self, loads: np.ndarray, answers: np.ndarray, tangents: np.ndarray, codes: np.ndarray) -> None:
        """Give followers what their leaders found, led to their own loads by the tangent; in place."""
        followers = self.followers()
        if not len(followers) or self.leader is None:
            return
        leaders = self.leader[followers]
        away = loads[followers] - loads[leaders]
        answers[followers] = answers[leaders] + np.matmul(tangents[leaders], away[..., None])[..., 0]
        tangents[followers], codes[followers] = tangents[leaders], codes[leaders]

    def followers(self) -> np.ndarray:
        """Return the places of points that share another's answer in the trial."""
        if self.leader is None:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero((self.leader != NOBODY) & (self.leader != np.arange(len(self.leader))))

    def chosen(self, count: int, seed: tuple[int, ...]) -> np.ndarray:
        """Return a random sample of the followers, in order."""
        followers = self.followers()
        draw = np.random.default_rng(seed)
        return np.sort(draw.choice(followers, min(count, len(followers)), replace=False))

    def own_path(self, place: int) -> list[tuple[np.ndarray, float]]:
        """Return loads and durations of a point since it left rest, the trial's as the last."""
        begun = len(self.loads) if self.owner[place] == NOBODY else int(self.born[place])
        path = zip(self.loads[begun:], self.durations[begun:], strict=True)
        return [(loads[place], dt) for loads, dt in (*path, *([self._trial] if self._trial else []))]

    def commit(self) -> None:
        """Make the trial's groups and loads the committed ones."""
        if self.leader is None or self._trial is None:
            return
        new = (self.owner == NOBODY) & (self.leader != NOBODY)
        self.born[new] = len(self.loads)
        self.owner = self.leader
        self.loads.append(self._trial[0])
        self.durations.append(self._trial[1])
        self.rollback()

    def rollback(self) -> None:
        """Forget the trial."""
        self.leader, self._trial = None, None

    def own(self, place: int) -> None:
        """Give a point a memory of its own, unless it shares another's."""
        if self.owner[place] == NOBODY:
            self.owner[place], self.born[place] = place, len(self.loads)

    def paths(self, ids: np.ndarray) -> Paths:
        """Return what a checkpoint keeps, of points with these numbers."""
        owners = np.where(self.owner == NOBODY, NOBODY, ids[self.owner])
        loads = np.array(self.loads) if self.loads else np.zeros((0, len(ids), self._size))
        return Paths(ids, owners, self.born, loads, np.array(self.durations))

    def place(self, found: Paths, ids: np.ndarray) -> None:
        """Take up what a checkpoint keeps; where an owner lives elsewhere, one of these points is it."""
        rows = np.searchsorted(found.ids, ids)
        owners = found.owners[rows]
        self.owner = np.full(len(ids), NOBODY, dtype=np.int64)
        for places in _same(owners):
            if (number := owners[places[0]]) != NOBODY:
                here = np.flatnonzero(ids == number)
                self.owner[places] = here[0] if len(here) else places[0]
        self.born = found.born[rows]
        self.loads = list(found.loads[:, rows])
        self.durations = [float(dt) for dt in found.durations]


def _same(values: np.ndarray) -> list[np.ndarray]:
    """Return the places of equal values, in order."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1) if len(values) else []


def _leaders(loads: np.ndarray, tolerance: float) -> np.ndarray:
    """Return for each load the row of the first one that is near enough and leads."""
    count = len(loads)
    if count <= 1:
        return np.zeros(count, dtype=np.int64)
    if tolerance == 0:
        _, first, which = np.unique(loads, axis=0, return_index=True, return_inverse=True)
        return first[which.ravel()]
    found, tree = np.full(count, NOBODY, dtype=np.int64), KDTree(loads, balanced_tree=False)
    for row in range(count):
        if found[row] == NOBODY:
            near = np.asarray(tree.query_ball_point(loads[row], tolerance))
            found[near[found[near] == NOBODY]] = row
    return found
