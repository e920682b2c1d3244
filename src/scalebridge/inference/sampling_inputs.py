"""What is refused before any long work, and what each level answers when it is first asked."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.inference.blocks import Sampler
from scalebridge.inference.correction import PROCESS, no_correction
from scalebridge.inference.forward import Level
from scalebridge.inference.kriging import process_library
from scalebridge.inference.parameters import Prior
from scalebridge.inference.sampling_job import Course
from scalebridge.inference.targets import Tally
from scalebridge.inference.tuning import GRADIENTS, PROPOSALS, WHITENINGS, Plan

_DEGREES = ("none", "constant", "linear", "quadratic", "gaussian-process")
_TRIES = 50  # starting points from the prior, before a model is said to fail everywhere
_COLDEST = 0.02  # power of the hottest of several replicas, unless powers are given
_DIGITS = 9  # of a probe's answers, by which a model is known again


@dataclass(frozen=True)
class Probe:
    """What the levels answered when they were first asked.

    Args:
        starts: (chains, d) coordinates at which every level has an answer.
        sizes: numbers of answers by level.
        answers: by level, the answers at the first start.
        seconds: by level, time of a second call.
        asked: by level, how many answers were asked for.
    """

    starts: np.ndarray
    sizes: tuple[int, ...]
    answers: tuple[np.ndarray, ...]
    seconds: tuple[float, ...]
    asked: tuple[int, ...]

    def fingerprint(self, sampler: Sampler, settings: dict[str, Any]) -> dict[str, Any]:
        """Return what decides the numbers: settings, priors, data, and how the models answered."""
        likelihood = sampler.likelihood
        return {
            "settings": {name: value for name, value in settings.items() if name != "draws"},
            "priors": [
                (p.spec.name, p.spec.unit, list(p.spec.shape), p.family, p.centre, p.spread, p.spec.limits)
                + ((p.weights,) if p.weights else ())
                for p in sampler.prior.parameters
            ],
            "data": likelihood.data,
            "covariance": likelihood.covariance,
            "answers": [np.array([float(f"{x:.{_DIGITS}g}") for x in one]) for one in self.answers],
            "starts": self.starts,
            "densities": [float(sampler.prior.log_density(place)) for place in self.starts],
            "likelihood": float(likelihood.log_density(self.answers[-1], likelihood.whitener())),
            "relative costs": list(self.seconds),
        }


def powers_of(tempering: Any) -> tuple[float, ...]:
    """Read the powers of a tempered coarsest level.

    Raises:
        InputError: no whole number of at least 1, or powers that do not fall from 1 to above 0.

    Example:
        >>> [round(power, 3) for power in powers_of(3)]
        [1.0, 0.141, 0.02]
    """
    wanted = "a whole number from 1 to 32, or powers that fall from 1 and stay above 0"
    if isinstance(tempering, int) and not isinstance(tempering, bool) and 1 <= tempering <= 32:
        return tuple(float(p) for p in np.geomspace(1.0, _COLDEST, tempering)) if tempering > 1 else (1.0,)
    if isinstance(tempering, Sequence) and not isinstance(tempering, str) and tempering:
        powers = [float(p) for p in tempering if isinstance(p, int | float)]
        falling = all(a > b for a, b in pairwise(powers))
        if len(powers) == len(tempering) and powers[0] == 1.0 and falling and powers[-1] > 0.0:
            return tuple(powers)
    raise InputError("tempering", got=repr(tempering), wanted=wanted, cure="pass tempering=4")


def read_plan(settings: dict[str, Any], levels: tuple[Level, ...], prior: Prior) -> Plan:
    """Read how to sample.

    Raises:
        InputError: an unknown proposal or correction, or a proposal that the coarsest level or the priors do
            not allow.
    """
    lowest, proposal = levels[0], settings["proposal"]
    differentiable = bool(lowest.traced) or lowest.gradient is not None
    if proposal is None:
        proposal = "hmc" if differentiable else "adaptive-metropolis"
    if proposal not in PROPOSALS:
        raise InputError(
            "proposal",
            got=repr(proposal),
            wanted=" or ".join(map(repr, PROPOSALS)),
            cure="choose one of them",
        )
    if proposal in GRADIENTS and not differentiable:
        raise InputError(
            "proposal",
            got=f"{proposal!r} with the level '{lowest.name}', which has no gradient",
            wanted="a coarsest level that JAX can trace, or with a method gradient",
            cure="write it in JAX, or pass proposal='adaptive-metropolis'",
        )
    whitening = settings["whitening"]
    _refuse_whitening(whitening, proposal, lowest, differentiable)
    if proposal == "pcn" and not (prior.gaussian or whitening == "curvature"):
        raise InputError(
            "proposal",
            got="'pcn' with a prior that is neither normal nor lognormal",
            wanted="normal and lognormal priors",
            cure="choose another proposal, or whitening='curvature'",
        )
    if settings["correction"] not in _DEGREES:
        raise InputError(
            "correction",
            got=repr(settings["correction"]),
            wanted=" or ".join(_DEGREES),
            cure="choose one of them",
        )
    degree = _DEGREES.index(settings["correction"]) - 1
    if degree == PROCESS:
        process_library()
    return Plan(
        proposal,
        settings["tempering"],
        bool(settings["random_subchain"]),
        degree,
        _whole("patience", settings["patience"], 1),
        _whole("seed", settings["seed"], 0),
        whitening,
    )


def _refuse_whitening(whitening: Any, proposal: str, lowest: Level, differentiable: bool) -> None:
    got, cure = "", "leave it out"
    if whitening not in WHITENINGS:
        got, cure = repr(whitening), "choose one of them"
    elif whitening == "curvature" and not differentiable:
        got = f"'curvature' with the level '{lowest.name}', which has no gradient"
    elif whitening == "curvature" and proposal == "random-walk":
        got, cure = "'curvature' with steps of the prior's shape", "pass proposal='adaptive-metropolis'"
    if got:
        wanted = "'draws', or 'curvature' with a coarsest level that has a gradient"
        raise InputError("whitening", got=got, wanted=wanted, cure=cure)


def read_course(settings: dict[str, Any], levels: int, proposal: str) -> Course:
    """Read how long to sample.

    Raises:
        InputError: numbers of steps or chains that cannot be, or one subchain too many.
    """
    chains = _whole("chains", settings["chains"], 2)
    scouting = settings["scouting"]
    usual = 300 if proposal in GRADIENTS else 2000
    telescoping = tuple(_whole("telescoping", steps, 8) for steps in settings["telescoping"])
    if telescoping and len(telescoping) != levels - 1:
        raise InputError(
            "telescoping",
            got=f"{len(telescoping)} numbers",
            wanted=f"one for each level but the finest, {levels - 1}",
            cure="leave it out, or give one a level",
        )
    return Course(
        chains,
        _whole("draws", settings["draws"], 8),
        _whole("warmup", settings["warmup"], 8),
        usual if scouting is None else _whole("scouting", scouting, 8),
        _lengths(settings["subchain"], levels, proposal),
        _whole("checkpoint", settings["checkpoint"], 1),
        telescoping,
    )


def read_prefetch(given: int | None) -> int | None:
    """Read how many steps the finest model is asked ahead.

    Raises:
        InputError: no whole number of at least 0.
    """
    return None if given is None else _whole("prefetch", given, 0)


def _lengths(given: Any, levels: int, proposal: str) -> tuple[int, ...] | None:
    if given == "auto":
        return None
    if given is None:
        lowest = 5 if proposal in GRADIENTS else 25
        return (lowest, *(3,) * (levels - 2))[: levels - 1]
    if isinstance(given, int):
        return (_whole("subchain", given, 1),) * (levels - 1)
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(listed) != levels - 1 or not listed:
        raise InputError(
            "subchain",
            got=repr(given),
            wanted=f"'auto', a whole number, or {levels - 1} of them, coarse to fine",
            cure="pass for example subchain=10",
        )
    return tuple(_whole("subchain", one, 1) for one in listed)


def _whole(name: str, given: Any, least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
        raise InputError(
            name,
            got=repr(given),
            wanted=f"a whole number of at least {least}",
            cure=f"pass {name}={least} or more",
        )
    return int(given)


def probe_levels(sampler: Sampler, start: Any, course: Course) -> Probe:
    """Ask every level at the starting points: does it answer, with how many numbers, how fast.

    Raises:
        InputError: starting values of a wrong shape or where the prior is zero, or a level that does not
            answer.
    """
    prior, plan = sampler.prior, sampler.plan
    given = _given_starts(start, course.chains, prior)
    answers: list[np.ndarray] = []
    seconds, asked = [], []
    rng = np.random.default_rng((plan.seed, 1 << 21))
    starts = given if given is not None else np.array([_allowed(prior, rng) for _ in range(course.chains)])
    for posterior in sampler.posteriors:
        level = posterior.level
        found, said, tried = None, "", 0
        for tried in range(1, _TRIES + 1):  # noqa: B007 (counted below)
            found, said = _first_answer(level, prior, starts[0])
            if found is not None or given is not None:
                break
            starts[0] = _allowed(prior, rng)
        if found is None:
            raise InputError(
                f"level '{level.name}'",
                got=f"no finite answer at its starting values ({said})",
                wanted="a model that answers there",
                cure="correct the model, or pass start=",
            )
        began = time.perf_counter()
        level.ask(prior.values(starts[0]))
        seconds.append(time.perf_counter() - began)
        answers.append(found)
        asked.append(tried + 1)
    sizes = tuple(one.size for one in answers)
    return Probe(starts, sizes, tuple(answers), tuple(seconds), tuple(asked))


def _first_answer(level: Level, prior: Prior, place: np.ndarray) -> tuple[np.ndarray | None, str]:
    try:
        found = level.ask(prior.values(place))
    except InputError:
        raise
    except Exception as error:  # a model may raise what it likes
        return None, f"{type(error).__name__}: {error}"
    if found.size == 0 or not np.all(np.isfinite(found)):
        return None, "an empty answer" if found.size == 0 else "an answer that is not finite"
    return found, ""


def _allowed(prior: Prior, rng: np.random.Generator) -> np.ndarray:
    for _ in range(100 * _TRIES):
        place = prior.draw(rng)
        if prior.log_density(place) > -math.inf:
            return place
    raise InputError(
        "log_prior",
        got="a prior that forbids every one of 5000 draws",
        wanted="a prior that allows something",
        cure="correct log_prior, or pass start=",
    )


def _given_starts(start: Any, chains: int, prior: Prior) -> np.ndarray | None:
    if start is None:
        return None
    values = np.asarray(start, dtype=float)
    if values.shape != (chains, prior.count) or not np.all(np.isfinite(values)):
        raise InputError(
            "start",
            got=f"an array of shape {values.shape}",
            wanted=f"finite values of shape ({chains}, {prior.count}), one row a chain",
            cure="leave it out to start from draws of the prior",
        )
    places = np.array([prior.coordinates(row) for row in values])
    allowed = np.all(np.isfinite(places)) and all(prior.log_density(place) > -math.inf for place in places)
    if not allowed:
        raise InputError(
            "start",
            got="values where the prior is zero",
            wanted="values that the priors allow",
            cure="move them inside",
        )
    return places


def refuse_impossible(sampler: Sampler, probe: Probe, plan: Plan) -> None:
    """Refuse numbers of answers that fit neither data nor each other, and a likelihood that is no number.

    Raises:
        InputError: see above.
    """
    data = sampler.likelihood.data
    names = [posterior.level.name for posterior in sampler.posteriors]
    for name, size in zip(names, probe.sizes, strict=True):
        alone = data is None and sampler.likelihood.function is None
        wanted = probe.sizes[-1] if data is None else data.size
        if alone and size != 1:
            cure = "pass data and noise, or a likelihood"
            raise InputError(f"level '{name}'", got=f"{size} answers", wanted="its log-likelihood", cure=cure)
        if size != wanted and (data is not None or plan.degree >= 0):
            raise InputError(
                f"level '{name}'",
                got=f"{size} answers",
                wanted=f"{wanted}, as there are {'data' if data is not None else 'of the finest level'}",
                cure="let every level answer with the same quantities",
            )
    function = sampler.likelihood.function
    if plan.whitening == "curvature" and data is None and function is None:
        raise InputError(
            "whitening",
            got="'curvature' with levels that answer with their log-likelihood",
            wanted="data and noise, or a likelihood of the answers",
            cure="leave it out",
        )
    if function is not None and np.shape(function(probe.answers[-1])) != ():
        raise InputError("likelihood", got="an array", wanted="one number", cure="sum over the measurements")
    _compile(sampler, probe, plan)


def _compile(sampler: Sampler, probe: Probe, plan: Plan) -> None:
    """Compile before any clock runs, so that measured costs are those of evaluations."""
    for number, posterior in enumerate(sampler.posteriors):
        if not posterior.level.traced:
            continue
        target = posterior.target(no_correction(sampler.prior.size, probe.sizes[number]), Tally())
        place, size = probe.starts[0], sampler.prior.size
        target.value(place)
        if number == 0 and plan.proposal == "mala":
            target.with_slope(place)
        if number == 0 and plan.proposal == "hmc" and target.trajectory is not None:
            target.trajectory(place, np.zeros(size), 0.0, 1, np.eye(size), 1.0)
