"""The course of a sampling: scout on the coarsest level, learn, freeze, settle, sample; block by block."""

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError, TaskError
from scalebridge.core.files import write_text
from scalebridge.engine.executors import Crew, Engine, SerialExecutor, hired
from scalebridge.engine.hashing import hash_call
from scalebridge.engine.progress import Advance, tallied
from scalebridge.engine.store import Store, decode, encode
from scalebridge.engine.task_folder import MISSING
from scalebridge.inference.blocks import Question, Sampler, run_block, run_pickled
from scalebridge.inference.correction import no_correction
from scalebridge.inference.diagnostics import autocorrelation_time, ess_bulk, r_hat
from scalebridge.inference.prefetching import answer, answer_pickled, run_ahead
from scalebridge.inference.shaping import Shaping
from scalebridge.inference.tuning import (
    Lessons,
    Tuning,
    best_length,
    move_corrections,
    move_covariance,
    move_scale,
    wanted_acceptance,
)

_LEARNING = (0.2, 0.3, 0.3)  # shares of the warm-up in rounds that learn; the rest settles, frozen
_FIRST_SCOUT = 10  # steps of the first scouting round; later ones double
_MOST_AHEAD = 8  # steps that are asked ahead unless a number is given
_NEAR = 0.25  # of the wanted acceptance


@dataclass(frozen=True)
class Course:
    """How long everything takes, in steps of one chain.

    Args:
        chains: number of chains.
        draws: kept steps of the finest level.
        warmup: steps of the finest level before, which are thrown away.
        scouting: steps of the coarsest level in each round of scouting, the last of the doubling ones.
        lengths: subchain lengths, or None to choose them from measured cost and correlation.
        checkpoint: steps of the finest level in a block.
        ladder: further steps of chains of the lower levels, for the telescoping estimator.
        prefetch: steps that the finest model is asked ahead; None for as many as there are workers for.
    """

    chains: int
    draws: int
    warmup: int
    scouting: int
    lengths: tuple[int, ...] | None
    checkpoint: int
    ladder: tuple[int, ...] = ()
    prefetch: int | None = 0


@dataclass
class Found:
    """What a job brought in.

    Args:
        tuning: as it was frozen.
        blocks: kept blocks by chain.
        ladder: blocks by lower level and chain, of the telescoping estimator.
        warmup: work by level before the kept draws.
        kept: the same for the kept draws.
        climbing: the same for the chains of the lower levels.
        rounds: what each round of the warm-up found.
        reused: blocks that were found in the store.
    """

    tuning: Tuning
    blocks: list[list[dict[str, Any]]] = field(default_factory=list)
    ladder: list[list[list[dict[str, Any]]]] = field(default_factory=list)
    warmup: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    climbing: list[dict[str, Any]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    reused: int = 0


def payload_of(question: Question, engine: Engine) -> bytes | None:
    """Return the question as bytes for other processes; None where it need not travel.

    Raises:
        InputError: a model or a function cannot be sent to another process.
    """
    if engine == "serial" or isinstance(engine, ThreadPoolExecutor | SerialExecutor):
        return None
    try:
        return pickle.dumps(question)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            "levels",
            got=f"a model that cannot be sent to another process ({error})",
            wanted="functions of a module, with engine='local' or 'dask'",
            cure="define the model at the top of a module, or pass engine='serial'",
        ) from error


class Job:
    """One sampling, round by round.

    Args:
        question: what is asked.
        sampler: the same, made ready in this process.
        course: how long.
        sizes: number of answers of each level.
        fingerprint: what else decides the numbers, for the store.
        store: finished blocks, or None.
    """

    def __init__(
        self,
        question: Question,
        sampler: Sampler,
        course: Course,
        sizes: Sequence[int],
        fingerprint: dict[str, Any],
        store: Store | None,
    ):
        self.question, self.sampler, self.course = question, sampler, course
        self.store, self.fingerprint = store, fingerprint
        self.top = len(question.levels) - 1
        self._phase = 0
        prior = sampler.prior
        rng = np.random.default_rng((question.plan.seed, 1 << 20))
        archive = np.array([prior.draw(rng) for _ in range(max(50, 10 * prior.size))])
        none = tuple(no_correction(prior.size, size) for size in sizes)
        lengths = course.lengths or (1,) * self.top
        self.found = Found(Tuning(0.5, prior.mean.copy(), np.diag(prior.std), archive, none, lengths))
        self.found.warmup, self.found.kept, self.found.climbing = (
            [_nothing() for _ in sizes] for _ in range(3)
        )
        self.lessons = Lessons()
        shaped = question.plan.whitening == "curvature"
        self._shaping = Shaping(sampler.posteriors[0]) if shaped else None

    def run(self, starts: np.ndarray, engine: Engine, workers: int | None, progress: bool | None) -> Found:
        """Do everything, from starting coordinates (chains, d).

        Raises:
            TaskError: a worker was lost, or a model failed too often; what was finished is in the store.
        """
        payload, course = payload_of(self.question, engine), self.course
        total = float(course.chains * (course.warmup + course.draws))
        with (
            tallied(total, "sampling", progress) as advance,
            hired(engine, workers, course.chains * self._most_ahead()) as crew,
        ):
            ahead = self._ahead(crew.workers)
            self._hands = _Hands(crew, payload, self.sampler, self.store, self.fingerprint, advance, ahead)
            settled = self._warm_up(starts)
            self._sample(settled)
            self._climb(settled)
        self.found.reused = self._hands.reused
        return self.found

    def _most_ahead(self) -> int:
        """How many workers a chain can use."""
        given = self.course.prefetch
        return 1 if not self.top or given == 0 else max(1, _MOST_AHEAD if given is None else given)

    def _ahead(self, workers: int | None) -> int:
        """How many steps the finest model is asked ahead: unless given, one for each further worker."""
        if not self.top:
            return 0
        if self.course.prefetch is not None:
            return self.course.prefetch
        spare = (workers or 0) // self.course.chains
        return min(spare, _MOST_AHEAD) if spare > 1 else 0

    # ------------------------------------------------------------------------------------------ warm-up

    def _warm_up(self, starts: np.ndarray) -> list[dict[str, Any]]:
        """Return the last block of each chain, with everything frozen."""
        course, starts = self.course, self._shaped(starts)
        if not self.top:
            places = self._scout(starts, course.warmup)
            return self._round(0, places, max(1, course.warmup // 4), "settling")
        places = self._scout(starts, course.scouting)
        learning = _LEARNING if self.question.plan.degree >= 0 else ()
        self._choose_lengths()
        for share in learning:
            # A little more than is asked for is better than a fit from two points.
            blocks = self._round(
                self.top, places, max(2, round(share * course.warmup)), "learning", learn=True
            )
            for block in blocks:
                self.lessons.add(block["lessons"]["points"], block["lessons"]["outputs"])
            noise = self.question.likelihood.covariance
            moved = move_corrections(self.found.tuning, self.lessons, noise, self.question.plan.degree)
            self.found.tuning = moved
            places = self._scout(places, max(_FIRST_SCOUT, course.scouting // 4))
        self._choose_lengths()
        left = max(1, round((1.0 - sum(learning)) * course.warmup))
        return self._round(self.top, places, left, "settling")

    def _shaped(self, starts: np.ndarray) -> np.ndarray:
        """Return where chains start: at modes, if the curvature there is the first covariance."""
        shaping, tuning = self._shaping, self.found.tuning
        if shaping is None:
            return starts
        rng = np.random.default_rng((self.question.plan.seed, 1 << 22))
        kept = self._hands.decide("modes", lambda: shaping.begin(starts, tuning.corrections[0]))
        self.found.tuning, places = shaping.first(tuning, kept, rng)
        _add(self.found.warmup[:1], [kept["work"]])
        return places

    def _move_shape(self, positions: np.ndarray) -> None:
        """Let the covariance follow the curvature where the chains have been."""
        shaping, tuning = self._shaping, self.found.tuning
        if shaping is None:
            return
        kept = self._hands.decide(
            f"curvature {self._phase}", lambda: shaping.follow(positions, tuning.corrections[0])
        )
        self.found.tuning = shaping.next(tuning, kept, positions)
        _add(self.found.warmup[:1], [kept["work"]])

    def _scout(self, places: np.ndarray, steps: int) -> np.ndarray:
        """Rounds of the coarsest kernel, after each of which step and covariance move.

        Each is twice as long as the one before, once the acceptance is near what it should be: where a
        density is stiff, short rounds find the step first.
        """
        plan, length, done, near = self.question.plan, _FIRST_SCOUT, 0, True
        while done < steps:
            length = min(2 * length if near and done else length, steps - done)
            blocks = self._round(0, places, length, "scouting")
            positions = np.array([block["positions"] for block in blocks])
            probability = float(np.mean([block["probability"] for block in blocks]))
            gain = 3.0 if length < 50 else 2.0
            near = abs(probability - wanted_acceptance(plan.proposal)) < _NEAR
            tuning = move_scale(self.found.tuning, plan.proposal, probability, gain)
            self.found.tuning = move_covariance(tuning, positions, self.course.chains)
            self._move_shape(positions)
            self._scouted = positions, blocks
            places, done = positions[:, -1], done + length
        return places

    def _choose_lengths(self) -> None:
        """Choose subchain lengths from what a round of scouting cost and how it was correlated."""
        if self.course.lengths is not None:
            return
        self.found.tuning = replace(
            self.found.tuning, lengths=self._hands.decide(self._phase, self._best_lengths)
        )

    def _best_lengths(self) -> tuple[int, ...]:
        positions, blocks = self._scouted
        times = [autocorrelation_time(positions[:, :, i]) for i in range(positions.shape[2])]
        time = float(np.nanmax(times)) if np.any(np.isfinite(times)) else positions.shape[1]
        steps = positions.shape[0] * positions.shape[1]
        lowest = best_length(time, self._cost_of_step(blocks, steps))
        middle = [best_length(2.0, 1.0 / 3.0) for _ in range(self.top - 1)]
        return (lowest, *middle)

    def _cost_of_step(self, blocks: list[dict[str, Any]], steps: int) -> float:
        """Cost of a coarse step in evaluations of the level above: work, weighed by measured seconds."""
        asked = sum(b["work"][0]["evaluations"] + b["work"][0]["gradients"] for b in blocks)
        price = self.fingerprint["relative costs"]
        return asked / steps * price[0] / price[1]

    # --------------------------------------------------------------------------------------- kept draws

    def _sample(self, settled: list[dict[str, Any]]) -> None:
        self.found.blocks = self._chains(self.top, settled, self.course.draws, self.found.kept)

    def _climb(self, settled: list[dict[str, Any]]) -> None:
        """Chains of the lower levels, from where the chains above settled."""
        for level, steps in enumerate(self.course.ladder):
            places = np.array([block["positions"][-1] for block in settled])
            burnt = self._round(level, places, max(10, steps // 10), "climbing", work=self.found.climbing)
            self.found.ladder.append(self._chains(level, burnt, steps, self.found.climbing))

    def _chains(
        self, level: int, last: list[dict[str, Any]], steps: int, work: list[dict[str, Any]]
    ) -> list[list[dict[str, Any]]]:
        self._phase += 1
        kept: list[list[dict[str, Any]]] = [[] for _ in last]
        for first in range(0, steps, self.course.checkpoint):
            count = min(self.course.checkpoint, steps - first)
            orders = [
                self._order(level, chain, first, count, state=block["state"])
                for chain, block in enumerate(last)
            ]
            last = self._hands.do(orders, self._detail(kept, level))
            for chain, block in zip(kept, last, strict=True):
                chain.append(block)
                _add(work, block["work"])
        return kept

    def _round(
        self,
        level: int,
        places: np.ndarray,
        steps: int,
        name: str,
        *,
        learn: bool = False,
        work: list[dict[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """One block of each chain from given places, with the kernels as they are now."""
        self._phase += 1
        orders = [
            self._order(level, chain, 0, steps, position=place, recording=learn)
            for chain, place in enumerate(places)
        ]
        blocks = self._hands.do(orders, lambda: name)
        for block in blocks:
            _add(self.found.warmup if work is None else work, block["work"])
        probability = float(np.mean([block["probability"] for block in blocks]))
        told = {"round": name, "level": level, "steps": steps, "acceptance": probability}
        self.found.rounds.append({**told, "scale": self.found.tuning.scale})
        return blocks

    def _order(self, level: int, chain: int, first: int, steps: int, **more: Any) -> dict[str, Any]:
        order = {"state": None, "position": None, "known": None, "recording": False, **more}
        tuning = self.found.tuning.to_plain()
        given = {"chain": chain, "phase": self._phase, "first": first, "steps": steps, "top": level}
        return {**given, "tuning": tuning, **order}

    def _detail(self, kept: list[list[dict[str, Any]]], level: int) -> Callable[[], str]:
        def detail() -> str:
            done = [chain for chain in kept if chain]
            if level != self.top or not done:
                return "sampling"
            draws = np.array([np.concatenate([b["positions"] for b in chain]) for chain in done])
            if draws.shape[1] < 8:
                return "sampling"
            columns = [draws[:, :, i] for i in range(draws.shape[2])]
            worst, least = max(map(r_hat, columns)), min(map(ess_bulk, columns))
            accepted = np.mean([np.mean(b["accepted"]) for chain in done for b in chain])
            asked = self.found.kept[level]["evaluations"] + self.found.warmup[level]["evaluations"]
            return f"accepted {accepted:.0%}, R-hat {worst:.3f}, ESS {least:.0f}, {asked} fine evaluations"

        return detail


@dataclass
class _Hands:
    """Who does blocks: the store if it has them, else the crew."""

    crew: Crew
    payload: bytes | None
    sampler: Sampler
    store: Store | None
    fingerprint: dict[str, Any]
    advance: Advance
    ahead: int = 0
    reused: int = 0

    def do(self, orders: list[dict[str, Any]], detail: Callable[[], str]) -> list[dict[str, Any]]:
        """Do one block of every chain, and return the answers in order."""
        keys = [None if self.store is None else self._key(order) for order in orders]
        waiting: list[Any] = []
        for key, order in zip(keys, orders, strict=True):
            stored = MISSING if self.store is None or key is None else self.store.get(key)
            waiting.append(order if stored is MISSING else stored)
        asked = [item for item, order in zip(waiting, orders, strict=True) if item is order]
        farmed = self.ahead > 0 and bool(asked) and asked[0]["top"] == len(self.sampler.posteriors) - 1
        done = iter(self._run_ahead(asked) if farmed else map(self._submit, asked))
        waiting = [next(done) if item is order else item for item, order in zip(waiting, orders, strict=True)]
        return [
            self._take(key, item, order, detail)
            for key, item, order in zip(keys, waiting, orders, strict=True)
        ]

    def decide(self, what: Any, choose: Callable[[], Any]) -> Any:
        """Choose once, and keep the choice, so that a run that goes on chooses the same."""
        if self.store is None:
            return choose()
        key = self._key({"decision": what})
        found = self.store.get(key)
        if found is MISSING:
            found = choose()
            self.store.put(key, found)
        return found

    def _key(self, order: dict[str, Any]) -> str:
        decisive = {name: value for name, value in self.fingerprint.items() if name != "relative costs"}
        return hash_call(run_block, "1", {"fingerprint": decisive, "order": order})

    def _submit(self, order: dict[str, Any]) -> Any:
        if self.payload is None:
            return self.crew.executor.submit(run_block, self.sampler, order)
        return self.crew.executor.submit(run_pickled, self.payload, order)

    def _run_ahead(self, orders: list[dict[str, Any]]) -> list[Any]:
        """Do blocks here, with the finest model asked ahead by the crew."""

        def submit(order: dict[str, Any]) -> Any:
            if self.payload is None:
                return self.crew.executor.submit(answer, self.sampler, order)
            return self.crew.executor.submit(answer_pickled, self.payload, order)

        futures: list[Future[Any]] = [Future() for _ in orders]
        try:
            for future, block in zip(
                futures, run_ahead(self.sampler, orders, self.ahead, submit), strict=True
            ):
                future.set_result(block)
        except (TaskError, *self.crew.lost) as error:
            for future in futures:
                future.set_exception(error)
        return futures

    def _take(
        self, key: str | None, item: Any, order: dict[str, Any], detail: Callable[[], str]
    ) -> dict[str, Any]:
        if isinstance(item, dict):
            self.reused += 1
            block = item
        else:
            # Every block takes the way through the store's form, so that stored and fresh ones are alike.
            block = decode(encode(self._result(item)))
            if self.store is not None and key is not None:
                self.store.put(key, block)
        self.advance(float(order["steps"]) if order["top"] else 0.0, detail())
        return block

    def _result(self, future: Any) -> dict[str, Any]:
        try:
            return future.result()
        except self.crew.lost as error:
            raise TaskError(
                f"a worker process ended before its chain did ({type(error).__name__}: {error}); finished "
                "blocks are in the store, if there is one; use fewer workers, and run it again"
            ) from error
        except TaskError as error:
            if self.store is not None:
                write_text(Path(self.store.folder) / "failure.txt", f"{error}\n")
            raise


def _nothing() -> dict[str, Any]:
    return {"evaluations": 0, "gradients": 0, "failures": 0, "seconds": 0.0, "messages": []}


def _add(total: list[dict[str, Any]], work: list[dict[str, Any]]) -> None:
    for mine, more in zip(total, work, strict=True):
        for name in ("evaluations", "gradients", "failures", "seconds"):
            mine[name] += more[name]
        mine["messages"] = (mine["messages"] + more["messages"])[:5]
