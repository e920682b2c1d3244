"""The plain question: what do data say of parameters, when the model that knows is expensive?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal

import numpy as np

from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.engine.executors import Engine, check_engine
from scalebridge.engine.store import Store
from scalebridge.inference.blocks import Question, Sampler
from scalebridge.inference.diagnostics import autocorrelation_time
from scalebridge.inference.forward import read_levels
from scalebridge.inference.likelihood import read_likelihood
from scalebridge.inference.parameters import Parameter, Prior, read_parameters
from scalebridge.inference.sampled import LevelWork, Sampled
from scalebridge.inference.sampling_inputs import (
    Probe,
    powers_of,
    probe_levels,
    read_course,
    read_plan,
    read_prefetch,
    refuse_impossible,
)
from scalebridge.inference.sampling_job import Found, Job
from scalebridge.inference.telescoping import Rung
from scalebridge.inference.tuning import Proposal, Whitening

Degree = Literal["none", "constant", "linear", "quadratic", "gaussian-process"]


def sample(
    levels: Any,
    parameters: Mapping[str, str] | Sequence[Parameter],
    *,
    data: Any = None,
    noise: Any = None,
    likelihood: Callable[[Any], Any] | None = None,
    log_prior: Callable[[Any], Any] | None = None,
    proposal: Proposal | None = None,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 50,
    scouting: int | None = None,
    subchain: int | Sequence[int] | Literal["auto"] | None = None,
    random_subchain: bool = False,
    correction: Degree = "quadratic",
    whitening: Whitening = "draws",
    tempering: int | Sequence[float] = 1,
    telescoping: Sequence[int] = (),
    start: Any = None,
    seed: int = 0,
    patience: int = 50,
    engine: Engine = "serial",
    workers: int | None = None,
    prefetch: int | None = None,
    store: str | PathLike[str] | Store | None = None,
    checkpoint: int = 100,
    progress: bool | None = None,
) -> Sampled:
    """Sample a posterior with an expensive model, screened by cheap ones, without losing exactness.

        π(θ | y) ∝ π(θ) exp(-1/2 |Σ^(-1/2) (y - f(θ))|²)

    Subchains on the coarsest level propose; each finer level accepts with what the one below got wrong
    (multilevel delayed acceptance), so that the draws are of the finest level's posterior however wrong the
    others are. What the coarse levels get wrong is learnt from fine answers during the warm-up, and then
    frozen, with everything else that adapts; no draw from before is kept.

    Args:
        levels: models, coarse to fine, or a single one: JAX functions, Python callables, `UmBridgeModel`s or
            `CommandModel`s, each values (n,) -> answers (m,) in SI. A function that JAX can trace is
            compiled; wrap it in `Level(..., traced=False)` if it must not be.
        parameters: priors by name: "normal(0, 1)", "lognormal(100 mD, 0.5)" (median, sigma of ln),
            "uniform(1, 3)", "flat", with "* 10" for a vector; "dirichlet(1, 1, 1)" for shares, "wishart(5,
            20) * 3" for a definite matrix (mean, freedom); or `Parameter`s. Chains move in the coordinates of
            their `Spec`s, so that no bound can be crossed.
        data: (m,) measurements. Without data, noise and likelihood, a level answers with its log-likelihood.
        noise: standard deviation of the measurements, one or m, or their (m, m) covariance.
        likelihood: log-likelihood of the answers, in place of Gaussian noise; a JAX function.
        log_prior: logarithm of a further prior density of the values, a JAX function of the flat vector;
            where it is minus infinity no model is run.
        proposal: of the coarsest level: "random-walk", "adaptive-metropolis", "pcn" (Gaussian priors),
            "dream-z", "mala", "hmc" (which need a gradient). HMC where the coarsest level has a gradient,
            else adaptive Metropolis.
        chains: number of chains, at least 2.
        draws: kept steps of the finest level, a chain.
        warmup: steps of the finest level before, a chain.
        scouting: steps of the coarsest level in which step and covariance are found.
        subchain: steps of the subchain below each level but the coarsest, one for all or each; of the
            lowest one 5 with a gradient and 25 without, of others 3, unless given. "auto" chooses the
            cheapest from measured times and correlations, and so may choose differently on another machine.
        random_subchain: draw each length from 1 to 2 n - 1.
        correction: highest degree of what is learnt of a coarse level's error; the degree that predicts
            left-out points best is taken. "constant" is the adaptive error model; "none" leaves the coarse
            levels alone; "gaussian-process" tries one on a linear trend too, for errors that are not
            polynomials.
        whitening: what the covariance of proposals is taken from: "draws", or the "curvature" of the coarsest
            level's posterior (Gauss and Newton), for many parameters that data know unequally well. Chains
            then start at the modes that they reach from their starting points.
        tempering: replicas of the coarsest level at higher temperatures, for several peaks: how many, or the
            powers of the likelihood in falling order from 1.
        telescoping: further steps, a chain, of chains of the levels below the finest, for `telescoping_mean`.
        start: (chains, n) values to start from; draws from the prior unless given.
        seed: of all random numbers. The same seed gives the same bits.
        patience: failures of a model in a row after which to stop.
        engine: who runs the chains: "serial", "local", "dask", or an object with `submit`.
        workers: number of processes.
        prefetch: steps ahead at which the finest model is asked, where it will be asked if it accepts; the
            draws are the same to the last bit. As many as there are workers for each chain unless given.
        store: folder of finished blocks; a run that was stopped goes on where it was, with the same bits.
        checkpoint: steps of the finest level in a block.
        progress: whether to draw a bar; on a terminal unless given.

    Returns:
        draws, summary, checks with what to change when one fails, and what it cost.

    Raises:
        InputError: parameters, data, levels or settings that cannot be, before any long work.
        UnitError: a prior in a unit of another kind.
        TaskError: a model failed too often in a row, or a worker was lost; what was finished is in the store.

    Limits: the coarse levels must not exclude what the finest allows. Checks cannot see a peak that no chain
        has found. Models are deterministic.
    Cost: chains x (warmup + draws) evaluations of the finest level at most; coarse ones by the subchains.
    Source: Christen & Fox, J. Comput. Graph. Stat. 14 (2005) 795; Lykkegaard et al., SIAM/ASA J. Uncertain.
        Quantif. 11 (2023) 1.

    Example:
        >>> import jax.numpy as jnp
        >>> fine = lambda k: jnp.array([k[0] + 0.1 * k[0] ** 2, k[0]])
        >>> coarse = lambda k: jnp.array([k[0], 0.9 * k[0]])
        >>> found = sample([coarse, fine], {"k": "lognormal(1, 0.5)"}, data=[1.2, 1.05], noise=0.1, draws=400)
        >>> bool(abs(found.summary[0].mean - 1.05) < 0.03), found.passed
        (True, True)
    """
    watch = Stopwatch()
    check_engine(engine, workers)
    asked, prior = _read(parameters, log_prior)
    modelled = read_levels(levels, prior.count)
    settings = {
        "proposal": proposal,
        "chains": chains,
        "draws": draws,
        "warmup": warmup,
        "scouting": scouting,
        "subchain": subchain,
        "random_subchain": random_subchain,
        "correction": correction,
        "whitening": whitening,
        "tempering": powers_of(tempering),
        "telescoping": tuple(telescoping),
        "seed": seed,
        "patience": patience,
        "checkpoint": checkpoint,
    }
    noisy = read_likelihood(data, noise, likelihood)
    plan = read_plan(settings, modelled, prior)
    course = replace(read_course(settings, len(modelled), plan.proposal), prefetch=read_prefetch(prefetch))
    kept = Store.at(store)
    question = Question(modelled, asked, log_prior, noisy, plan)
    sampler = Sampler(question)
    probe = probe_levels(sampler, start, course)
    refuse_impossible(sampler, probe, plan)
    watch.lap("reading")
    job = Job(question, sampler, course, probe.sizes, probe.fingerprint(sampler, settings), kept)
    found = job.run(probe.starts, engine, workers, progress)
    watch.lap("sampling")
    origin = Provenance(
        {
            "levels": [level.name for level in modelled],
            "data": None if data is None else noisy.whitener().shape[0],
        },
        {**_told(settings), "proposal": plan.proposal, "lengths": found.tuning.lengths},
        installed_versions(),
        this_machine(),
        watch.started,
        watch.elapsed,
        seed,
    )
    return _result(sampler, found, probe, origin)


def _read(parameters: Any, log_prior: Callable[[Any], Any] | None) -> tuple[tuple[Parameter, ...], Prior]:
    asked = read_parameters(parameters)
    return asked, Prior(asked, log_prior)


def _told(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they were used, without those that were not."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    return {name: value for name, value in plain.items() if value not in (None, [], [1.0])}


def _result(sampler: Sampler, found: Found, probe: Probe, origin: Provenance) -> Sampled:
    prior, noise = sampler.prior, sampler.likelihood.covariance
    joined = {
        name: np.array([np.concatenate([b[name] for b in chain]) for chain in found.blocks])
        for name in ("positions", "log_prior", "log_likelihoods", "accepted", "screened", "below")
    }
    outputs = np.array([np.concatenate([b["outputs"][-1] for b in chain]) for chain in found.blocks])
    work = tuple(
        LevelWork(
            posterior.level.name,
            kept["evaluations"],
            kept["gradients"],
            before["evaluations"] + before["gradients"] + asked,
            kept["failures"] + before["failures"],
            kept["seconds"],
            before["seconds"],
            tuple((before["messages"] + kept["messages"])[:5]),
        )
        for posterior, kept, before, asked in zip(
            sampler.posteriors, found.kept, found.warmup, probe.asked, strict=True
        )
    )
    return Sampled(
        specs=tuple(p.spec for p in prior.parameters),
        values=np.asarray(prior.values(joined["positions"])),
        names=prior.names,
        log_prior=joined["log_prior"],
        log_likelihoods=joined["log_likelihoods"],
        outputs=outputs,
        accepted=joined["accepted"],
        work=work,
        rates=_rates(sampler, found, joined),
        rungs=_rungs(prior, found),
        notes=tuple(_notes(sampler, found)),
        provenance=origin,
        stats=_stats(found),
        data=sampler.likelihood.data,
        noise=None if noise is None else np.sqrt(np.diag(noise)),
    )


def _rates(sampler: Sampler, found: Found, joined: dict[str, np.ndarray]) -> dict[str, float]:
    """Acceptances, correlations, divergences and failures."""
    likelihoods, screened = joined["log_likelihoods"], joined["screened"]
    rates = {
        "acceptance of the finest level": float(np.mean(joined["accepted"][screened]))
        if screened.any()
        else 0.0
    }
    if likelihoods.shape[2] > 1:
        rates["acceptance below"] = float(np.mean(joined["below"]))
        pairs = [
            _correlation(likelihoods[..., level], likelihoods[..., level + 1])
            for level in range(likelihoods.shape[2] - 1)
        ]
        rates["correlation of neighbouring levels"] = min(pairs)
    if sampler.plan.proposal == "hmc":
        lost = sum(b["divergences"] for chain in found.blocks for b in chain)
        steps = int(np.prod(found.tuning.lengths)) * joined["accepted"].size
        rates["divergences"] = lost / steps
    rates["failed evaluations"] = max(
        (k["failures"] + b["failures"])
        / max(1, k["evaluations"] + b["evaluations"] + k["gradients"] + b["gradients"])
        for k, b in zip(found.kept, found.warmup, strict=True)
    )
    return rates


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return float(np.ptp(first) == np.ptp(second))
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _rungs(prior: Prior, found: Found) -> tuple[Rung, ...]:
    """Chains of every level, if there are chains of the lower ones."""
    if not found.ladder:
        return ()
    rungs = []
    for level, chains in enumerate([*found.ladder, found.blocks]):
        joined = {
            name: np.array([np.concatenate([b[name] for b in chain]) for chain in chains])
            for name in ("positions", "log_likelihoods")
        }
        outputs = tuple(
            np.array([np.concatenate([b["outputs"][row] for b in chain]) for chain in chains])
            for row in range(level + 1)
        )
        seconds = float(sum(one["seconds"] for chain in chains for b in chain for one in b["work"]))
        values = np.asarray(prior.values(joined["positions"]))
        rungs.append(Rung(values, joined["log_likelihoods"], outputs, seconds))
    return tuple(rungs)


def _notes(sampler: Sampler, found: Found) -> list[str]:
    notes, tuning = [], found.tuning
    names = [posterior.level.name for posterior in sampler.posteriors]
    for name, one in zip(names[:-1], tuning.corrections[:-1], strict=True):
        if one.degree >= 0:
            kind = ("a constant", "a linear", "a quadratic", "a Gaussian process on a linear")[one.degree]
            unit = " standard deviations of the noise" if sampler.likelihood.gaussian else ""
            notes.append(
                f"The answers of {name} are corrected by {kind} polynomial of the parameters, learnt from "
                f"{one.points} answers of {names[-1]}; left-out answers are missed by {one.error:.2g}{unit}."
            )
    if sampler.plan.whitening == "curvature":
        notes.append(f"Proposals have the shape of the posterior's curvature, as {names[0]} has it.")
    notes.append("Everything that adapts did so in the warm-up and was then frozen; no draw from it is kept.")
    if any(p.family == "flat" for p in sampler.prior.parameters):
        notes.append("A flat prior is improper: the posterior exists only if the data bound the parameter.")
    return notes


def _stats(found: Found) -> dict[str, Any]:
    last = [chain[-1]["positions"] for chain in found.blocks]
    draws = np.array([np.concatenate([b["positions"] for b in chain]) for chain in found.blocks])
    times = [autocorrelation_time(draws[:, :, i]) for i in range(draws.shape[2])]
    return {
        "subchains": list(found.tuning.lengths),
        "scale": found.tuning.scale,
        "rounds": found.rounds,
        "blocks reused": found.reused,
        "autocorrelation times": times,
        "last positions": [row[-1] for row in last],
    }
