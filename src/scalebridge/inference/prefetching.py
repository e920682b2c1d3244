"""Prefetching: the finest model is asked ahead, at the places where it will be asked if it accepts.

Subchains on the coarse level need no answer of the finest one until it rejects, and every step has its own
generator, so that the next proposals are known beforehand, up to the first rejection. With an acceptance of a
and d steps ahead, d answers at once bring (1 - a^d) / (1 - a) steps. The chain is the same to the last bit;
what was asked in vain is counted as work. (A. E. Brockwell, J. Comput. Graph. Stat. 15 (2006) 246.)
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.inference.blocks import Sampler, generator, run_block, sampler_of, state_from
from scalebridge.inference.screening import propose
from scalebridge.inference.targets import Tally
from scalebridge.inference.tuning import Tuning

Submit = Callable[[dict[str, Any]], "Future[dict[str, Any]]"]


@dataclass
class _Chain:
    """An order that is done piece by piece."""

    order: dict[str, Any]
    pieces: list[dict[str, Any]] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.order["steps"] - sum(len(piece["accepted"]) for piece in self.pieces)

    def rest(self) -> dict[str, Any]:
        """Return the order for what is left."""
        if not self.pieces:
            return self.order
        first = self.order["first"] + self.order["steps"] - self.left
        state = self.pieces[-1]["state"]
        return {**self.order, "first": first, "steps": self.left, "state": state, "position": None}


def run_ahead(
    sampler: Sampler, orders: list[dict[str, Any]], depth: int, submit: Submit
) -> list[dict[str, Any]]:
    """Do one block of each of several chains of the finest level, whose model is asked ahead elsewhere.

    Args:
        sampler: the question, made ready.
        orders: as `blocks.run_block` takes them.
        depth: steps ahead.
        submit: hands an order to `answer` out; its "places" are where the finest model is asked.

    Returns:
        what `blocks.run_block` returns for each.
    """
    chains = [_Chain(order) for order in orders]
    while waiting := [chain for chain in chains if chain.left]:
        looked = [places_ahead(sampler, chain.rest(), depth) for chain in waiting]
        futures = [
            [
                submit({"place": place, "top": chain.order["top"], "tuning": chain.order["tuning"]})
                for place in seen
            ]
            for chain, (seen, _) in zip(waiting, looked, strict=True)
        ]
        for chain, asked, (seen, work) in zip(waiting, futures, looked, strict=True):
            told = [future.result() for future in asked]
            chain.pieces.append(_piece(sampler, chain.rest(), depth, (seen, told), work))
    return [joined(chain.pieces) for chain in chains]


def places_ahead(
    sampler: Sampler, order: dict[str, Any], depth: int
) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """Return where the finest model will be asked if it accepts, and the work of finding out, by level."""
    plan, top, tuning = sampler.plan, order["top"], Tuning.from_plain(order["tuning"])
    tallies = [Tally(plan.patience) for _ in sampler.posteriors]
    below = sampler.kernels(tuning, tallies)[top - 1]
    fresh = order["state"] is None
    found = [np.asarray(order["position"])] if fresh else []
    state = below.init(order["position"]) if fresh else state_from(order["state"]["below"])
    for step in range(order["first"], order["first"] + min(depth, order["steps"])):
        rng = generator(plan, order, step)
        end, _ = propose(rng, below, state, tuning.lengths[top - 1], random_length=plan.random_length)
        if not np.array_equal(end.position, state.position):
            found.append(end.position)
        state = end
    return found, [tally.told() for tally in tallies]


def answer(sampler: Sampler, order: dict[str, Any]) -> dict[str, Any]:
    """Ask the finest model at one place; the answer is None where there is none.

    Args:
        sampler: the question, made ready.
        order: plain data: place, top (level), tuning.
    """
    tally = Tally(patience=2)
    tuning = Tuning.from_plain(order["tuning"])
    target = sampler.posteriors[order["top"]].target(tuning.corrections[order["top"]], tally)
    state = target.value(np.asarray(order["place"]))
    given = bool(np.all(np.isfinite(state.outputs)))
    # What failed is asked again where it counts, with its words.
    return {
        "answer": state.outputs if given else None,
        "evaluations": tally.evaluations,
        "seconds": tally.seconds,
    }


def answer_pickled(payload: bytes, order: dict[str, Any]) -> dict[str, Any]:
    """Do the same in another process."""
    return answer(sampler_of(payload), order)


def _piece(
    sampler: Sampler,
    order: dict[str, Any],
    depth: int,
    known: tuple[list[np.ndarray], list[dict[str, Any]]],
    work: list[dict[str, Any]],
) -> dict[str, Any]:
    """Do steps with answers that are known, up to the first rejection, and count what was asked for them."""
    places, told = known
    held = [(p, t["answer"]) for p, t in zip(places, told, strict=True) if t["answer"] is not None]
    nothing: list[tuple[list[Any], list[Any]]] = [([], [])] * len(sampler.posteriors)
    nothing[order["top"]] = ([p for p, _ in held], [a for _, a in held])
    steps = min(depth, order["steps"])
    block = run_block(sampler, {**order, "steps": steps, "known": nothing, "leap": True})
    for mine, more in zip(block["work"], work, strict=True):
        for name in ("evaluations", "gradients", "failures", "seconds"):
            mine[name] += more[name]
    for name in ("evaluations", "seconds"):
        block["work"][order["top"]][name] += sum(one[name] for one in told)
    return block


def joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """Return pieces of a block, one after the other, as the whole block."""
    if len(pieces) == 1:
        return pieces[0]
    found: dict[str, Any] = {}
    for name, first in pieces[0].items():
        every = [piece[name] for piece in pieces]
        if isinstance(first, np.ndarray):
            found[name] = np.concatenate(every)
        elif name == "outputs":
            found[name] = [np.concatenate(level) for level in zip(*every, strict=True)]
        elif name == "work":
            found[name] = [_added(level) for level in zip(*every, strict=True)]
        elif name == "lessons":
            found[name] = None if first is None else _lessons(every)
        else:
            found[name] = sum(every) if name == "divergences" else every[-1]
    return found


def _added(work: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    total = {
        name: sum(one[name] for one in work) for name in ("evaluations", "gradients", "failures", "seconds")
    }
    return {**total, "messages": [text for one in work for text in one["messages"]][:5]}


def _lessons(every: list[dict[str, Any]]) -> dict[str, Any]:
    some = [one for one in every if len(one["points"])]
    if not some:
        return every[0]
    outputs = [np.concatenate(level) for level in zip(*(one["outputs"] for one in some), strict=True)]
    return {"points": np.concatenate([one["points"] for one in some]), "outputs": outputs}
