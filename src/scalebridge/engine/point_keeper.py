"""Keepers: the memory of some points of a coarse model, and their answers, in one process.

A trial is always computed from what is committed. A point whose unit has an exact elastic answer shares it
until a load is committed at which it no longer holds, and has no memory of its own before.
"""

import abc
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np

from scalebridge.core.threads import thread_count
from scalebridge.engine.batched_store import BatchedStore
from scalebridge.engine.history_unit import BatchedUnit, HistoryUnit, LazyUnitAnswer, load_size
from scalebridge.engine.path_sharing import NOBODY, Paths, PathSharing
from scalebridge.engine.point_store import PointStore

_STATE, _HINT, _HINTED = "state/", "hint/", "hint?"
_NOTHING = np.zeros(())
_WORST = {"worst gap": "Hill-Mandel gap", "worst size": "Hill-Mandel size"}  # of what units say, by our name
_BLOCK_BYTES = 8 * 2**20
_BATCH = 4096  # points of a batch: what vectorised laws need besides stays small
Build = Callable[[], HistoryUnit]
"""Makes a unit: what is sent to other processes in its place."""


@dataclass(frozen=True)
class KeeperSettings:
    """How points are kept.

    Args:
        lazy: whether points share the elastic answer as long as it is exact.
        budget: bytes of state in memory for each process, beyond which it is mapped to files; None: no limit.
        threads: points that are answered at once; the cores of the process unless given.
        hints: whether to keep what makes the next solve cheaper.
        share: largest distance of two paths of loads whose points share an answer; None: each has its own.
    """

    lazy: bool = True
    budget: float | None = None
    threads: int | None = None
    hints: bool = True
    share: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Answers of all points to their loads.

    Args:
        answers: (points, k).
        tangents: (points, k, k).
        codes: (points,) how each solve ended, 0 where it converged.
        stats: "lazy" points that shared the elastic answer, "solved" ones that did not; what begins with
            "worst" is the largest of any point, in J/m^3.
    """

    answers: np.ndarray
    tangents: np.ndarray
    codes: np.ndarray
    stats: dict[str, float] = field(default_factory=dict)


class Keeper(abc.ABC):
    """The memory of some points and their answers.

    Args:
        ids: (n,) numbers of the points in the coarse model.
    """

    ids: np.ndarray

    @abc.abstractmethod
    def evaluate(self, loads: np.ndarray, dt: float) -> Evaluation:
        """Answer loads (n, k) from the committed state; the trials are kept until `commit` or `rollback`."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Make the trials the committed state."""

    @abc.abstractmethod
    def rollback(self) -> None:
        """Forget the trials."""

    @abc.abstractmethod
    def stored(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yield the number and the committed variables of every point that has any."""

    @abc.abstractmethod
    def committed(self, point: int) -> dict[str, np.ndarray]:
        """Return the committed variables that a point answers from, by its number; empty without any."""

    @abc.abstractmethod
    def place(self, point: int, values: dict[str, np.ndarray]) -> None:
        """Set the committed variables of a point by its number, as `stored` gave them."""

    @abc.abstractmethod
    def paths(self) -> Paths | None:
        """Return who shares with whom, and the loads so far; None where points do not share."""

    @abc.abstractmethod
    def place_paths(self, paths: Paths) -> dict[int, list[int]]:
        """Take up who shares with whom; return which points of this keeper want which point's variables."""

    @abc.abstractmethod
    def audit(self, sample: int, seed: int, epoch: int) -> dict[str, float]:
        """Solve a sample of the points that share anew, along their own loads; return what is wrong with it.

        Returns:
            "sharing" points, "sampled" ones, "worst error" of their trial answers, sum of "squared errors".
        """

    @abc.abstractmethod
    def memory(self) -> dict[str, float]:
        """Return bytes held in memory and in mapped files, and how many points have memory of their own."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give memory and threads back."""


def make_keeper(unit: HistoryUnit, ids: np.ndarray, settings: KeeperSettings) -> Keeper:
    """Return the keeper that suits a unit: batched where it answers many points at once.

    Args:
        unit: what each point asks.
        ids: (n,) numbers of the points.
        settings: how they are kept.
    """
    if isinstance(unit, BatchedUnit):
        return BatchedKeeper(unit, ids)
    return PointKeeper(unit, ids, settings)


class PointKeeper(Keeper):
    """Points that are answered one by one, several at once in threads, with memory made when it is needed.

    Args:
        unit: what each point asks.
        ids: (n,) numbers of the points.
        settings: how they are kept.
    """

    def __init__(self, unit: HistoryUnit, ids: np.ndarray, settings: KeeperSettings):
        self.unit, self.ids, self.settings = unit, np.asarray(ids), settings
        self.size = load_size(unit)
        self._rest = {name: np.asarray(value, float) for name, value in unit.rest().items()}
        self._elastic: LazyUnitAnswer | None = unit.elastic() if settings.lazy else None
        self._store: PointStore | None = None
        self._place = {int(number): place for place, number in enumerate(self.ids)}
        shares = settings.share is not None
        self._sharing = PathSharing(len(self.ids), self.size, float(settings.share or 0)) if shares else None
        self._said = np.zeros((0, self.size))  # answers of the trial
        threads = max(1, min(settings.threads or thread_count(), len(self.ids)))
        self._pool = ThreadPoolExecutor(threads, "scalebridge-points")
        self._units: SimpleQueue[HistoryUnit] = SimpleQueue()
        for thread in range(threads):  # one each: a unit may work in arrays of its own
            self._units.put(copy.deepcopy(unit) if thread else unit)

    def evaluate(self, loads: np.ndarray, dt: float) -> Evaluation:
        count = len(self.ids)
        answers, tangents = np.zeros((count, self.size)), np.zeros((count, self.size, self.size))
        codes = np.zeros(count, dtype=np.int64)
        asked = [p for p in range(count) if not self._answer_lazily(p, loads[p], answers, tangents)]
        led = asked if self._sharing is None else self._led(self._sharing, asked, loads, dt)
        found = self._pool.map(lambda point: self._solve(point, loads[point], dt), led)
        steps, worst = 0.0, dict.fromkeys(_WORST, 0.0)
        for point, said in zip(led, found, strict=True):
            codes[point] = int(said.outcome)
            steps += float(said.stats.get("krylov", 0))
            worst = {
                name: max(most, float(said.stats.get(_WORST[name], 0.0))) for name, most in worst.items()
            }
            if codes[point] == 0:
                answers[point], tangents[point] = said.answer, said.tangent
                self._keep(point, said)
        if self._sharing is not None:
            self._sharing.spread(loads, answers, tangents, codes)
            self._said = answers
        return Evaluation(
            answers,
            tangents,
            codes,
            {"lazy": float(count - len(asked)), "solved": float(len(led)), "micro steps": steps, **worst},
        )

    def commit(self) -> None:
        if self._store is not None:
            self._store.commit()
        if self._sharing is not None:
            self._sharing.commit()

    def rollback(self) -> None:
        if self._store is not None:
            self._store.rollback()
        if self._sharing is not None:
            self._sharing.rollback()

    def stored(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for place, number in enumerate(self.ids):
            found = None if self._store is None else self._store.committed(place)
            if found is not None:
                yield int(number), found

    def committed(self, point: int) -> dict[str, np.ndarray]:
        return (self._committed(self._place[point]) or {}) if point in self._place else {}

    def paths(self) -> Paths | None:
        return None if self._sharing is None else self._sharing.paths(self.ids)

    def place_paths(self, paths: Paths) -> dict[int, list[int]]:
        rows = np.searchsorted(paths.ids, self.ids)
        wanted: dict[int, list[int]] = {}
        if self._sharing is not None:
            self._sharing.place(paths, self.ids)
        for place, number in enumerate(paths.owners[rows]):
            if number != NOBODY and (self._sharing is None or self._sharing.owner[place] == place):
                wanted.setdefault(int(number), []).append(int(self.ids[place]))
        return wanted

    def audit(self, sample: int, seed: int, epoch: int) -> dict[str, float]:
        sharing = self._sharing
        if sharing is None:
            return {}
        chosen = sharing.chosen(sample, (seed, epoch, *(int(number) for number in self.ids[:1])))
        own = list(self._pool.map(lambda point: self._along(sharing.own_path(point)), chosen))
        away = [float(np.linalg.norm(self._said[p] - o)) for p, o in zip(chosen, own, strict=True)]
        errors = [size if np.isfinite(size) else np.inf for size in away]  # no answer of its own: all wrong
        return {
            "sharing": float(len(sharing.followers())),
            "sampled": float(len(errors)),
            "worst error": max(errors, default=0.0),
            "squared errors": float(np.square(errors).sum()),
        }

    def place(self, point: int, values: dict[str, np.ndarray]) -> None:
        if self._sharing is not None:
            self._sharing.own(self._place[point])
        self._storage({name: array.shape for name, array in values.items()}).place(self._place[point], values)

    def memory(self) -> dict[str, float]:
        store = self._store
        if store is None:
            return {"memory": 0.0, "mapped": 0.0, "points with memory": 0.0, "bytes a point": 0.0}
        return {
            "memory": float(store.resident_bytes),
            "mapped": float(store.mapped_bytes),
            "points with memory": float((store.stored | store.fresh).sum()),
            "bytes a point": float(store.bytes_per_point),
        }

    def close(self) -> None:
        self._pool.shutdown()
        if self._store is not None:
            self._store.close()

    def _answer_lazily(self, point: int, load: np.ndarray, answers: np.ndarray, tangents: np.ndarray) -> bool:
        """Give the shared elastic answer if it is exact; a trial of another load is then void."""
        elastic, store = self._elastic, self._store
        if elastic is None or self._committed(point) is not None or elastic.margin(load) > 0:
            return False
        tangents[point] = elastic.tangent
        answers[point] = tangents[point] @ load
        if store is not None:
            store.forget_trial(point)
        return True

    def _committed(self, point: int) -> dict[str, np.ndarray] | None:
        """Return what a point answers from: its own, or that of the point whose memory it shares."""
        owner = point if self._sharing is None else int(self._sharing.owner[point])
        return None if self._store is None or owner == NOBODY else self._store.committed(owner)

    def _led(self, sharing: PathSharing, asked: list[int], loads: np.ndarray, dt: float) -> list[int]:
        """Return the points that are solved for; one that leads anew begins where its last leader was."""
        before, store = sharing.leader, self._store
        led = sharing.split(asked, loads, dt)
        if store is None or before is None:
            return led
        for point in led:
            last = int(before[point])
            if last not in (NOBODY, point) and store.fresh[last]:
                store.write(point, _all_of(store.trial(last)))
        for point in sharing.followers():
            store.forget_trial(int(point))
        return led

    def _along(self, path: list[tuple[np.ndarray, float]]) -> np.ndarray:
        """Return the answer at the end of a path of loads and durations from rest; NaN without one."""
        state, hint = self._rest, None
        answer = np.full(self.size, np.nan)
        unit = self._units.get()
        try:
            for load, dt in path:
                said = unit.respond(load, state, dt, hint=hint)
                if int(said.outcome):
                    return np.full(self.size, np.nan)
                answer, state, hint = np.array(said.answer), said.state, said.hint
        finally:
            self._units.put(unit)
        return answer

    def _solve(self, point: int, load: np.ndarray, dt: float) -> Any:
        committed = self._committed(point)
        trial = None if self._store is None else self._store.trial(point)
        state = self._rest if committed is None else _part(committed, _STATE)
        hint = _hint_of(trial if trial is not None else committed)
        unit = self._units.get()
        try:
            return unit.respond(load, state, dt, hint=hint)
        finally:
            self._units.put(unit)

    def _keep(self, point: int, said: Any) -> None:
        values = {_STATE + name: np.asarray(array) for name, array in said.state.items()}
        if self.settings.hints and said.hint is not None:
            values |= {_HINT + name: np.asarray(array) for name, array in said.hint.items()}
            values[_HINTED] = np.array(1.0)
        store = self._storage({name: array.shape for name, array in values.items()})
        store.write(point, {name: values.get(name, _NOTHING) for name in store.shapes})

    def _storage(self, shapes: dict[str, tuple[int, ...]]) -> PointStore:
        """Return the store, made for the first shapes seen."""
        if self._store is None:
            each = 2 * 8 * sum(int(np.prod(shape)) for shape in shapes.values())
            block = int(np.clip(_BLOCK_BYTES // max(each, 1), 1, min(256, len(self.ids))))
            self._store = PointStore(shapes, len(self.ids), self.settings.budget, block)
        return self._store


class BatchedKeeper(Keeper):
    """Points whose unit answers for many at once: all have memory from the start, which is small.

    Args:
        unit: what each point asks.
        ids: (n,) numbers of the points.
    """

    def __init__(self, unit: BatchedUnit, ids: np.ndarray):
        self.unit, self.ids = unit, np.asarray(ids)
        self._store = BatchedStore(unit.rest(), len(self.ids))  # type: ignore[attr-defined]
        self._place = {int(number): place for place, number in enumerate(self.ids)}

    def evaluate(self, loads: np.ndarray, dt: float) -> Evaluation:
        parts = []
        for first in range(0, len(loads), _BATCH):
            cut = slice(first, first + _BATCH)
            states = {name: array[cut] for name, array in self._store.committed.items()}
            parts.append(self.unit.respond_many(loads[cut], states, dt))
        answers, tangents, codes = (np.concatenate([part[i] for part in parts]) for i in (0, 1, 3))
        names = self._store.committed
        self._store.trial = {name: np.concatenate([part[2][name] for part in parts]) for name in names}
        return Evaluation(
            answers, tangents, codes, {"lazy": 0.0, "solved": float(len(loads)), "micro steps": 0.0}
        )

    def commit(self) -> None:
        self._store.commit()

    def rollback(self) -> None:
        self._store.rollback()

    def stored(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for place, number in enumerate(self.ids):
            yield int(number), {_STATE + name: array[place] for name, array in self._store.committed.items()}

    def committed(self, point: int) -> dict[str, np.ndarray]:
        place = self._place.get(point)
        found = self._store.committed.items()
        return {} if place is None else {_STATE + name: array[place] for name, array in found}

    def paths(self) -> None:
        return None

    def place_paths(self, paths: Paths) -> dict[int, list[int]]:
        return {int(number): [int(number)] for number in self.ids}

    def audit(self, sample: int, seed: int, epoch: int) -> dict[str, float]:
        return {}

    def place(self, point: int, values: dict[str, np.ndarray]) -> None:
        for name, array in self._store.committed.items():
            array[self._place[point]] = values[_STATE + name]

    def memory(self) -> dict[str, float]:
        count = float(len(self.ids))
        size = float(self._store.nbytes)
        return {
            "memory": size,
            "mapped": 0.0,
            "points with memory": count,
            "bytes a point": size / max(count, 1),
        }

    def close(self) -> None:
        self._store.rollback()


def state_of(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the internal variables among what is stored of a point, hints left out."""
    return _part(values, _STATE)


def _all_of(values: dict[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    return {} if values is None else values


def _part(values: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in values.items() if name.startswith(prefix)}


def _hint_of(values: dict[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
    if values is None or not values.get(_HINTED, 0.0):
        return None
    return _part(values, _HINT)
