"""The plain question: what did the field look like, everywhere and on every date?"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.engine.executors import Engine, check_engine
from scalebridge.engine.store import Store
from scalebridge.fusion.block_estimate import Estimate, Gated, Search
from scalebridge.fusion.field_files import check_field_path
from scalebridge.fusion.fused import Fused, Written
from scalebridge.fusion.fusion_checks import (
    agreement_checks,
    check_agreement,
    check_batch,
    check_coverage,
    check_innovations,
)
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.fusion_problem import Problem, gather
from scalebridge.fusion.held_out import Farm, HeldOut, hold_out_scenes, scenes_to_hold
from scalebridge.fusion.joint_checks import check_joint
from scalebridge.fusion.learning import Learnt
from scalebridge.fusion.methods import learn_by, method_of
from scalebridge.fusion.robust import doubtful
from scalebridge.fusion.scene import Scene, make_scene
from scalebridge.fusion.sensors import Sensor
from scalebridge.fusion.simulation import draw_blocks, draw_joint
from scalebridge.fusion.sparse_factor import factor_package
from scalebridge.fusion.tiled import estimate_tiles, learn_sample, work_folder

Method = Literal["auto", "blocks", "sparse", "iterative"]
Learning = Literal["gradient", "em"]
_SPARSE = 60_000  # unknowns of a sparse factor: a minute, and some gigabytes
_METHODS = ("auto", "blocks", "sparse", "iterative")


@dataclass(frozen=True)
class Settings:
    """Options of a fusion, checked."""

    method: str
    search: Search
    lag: int | None
    seed: int
    draws: int
    farm: Farm


def fuse(
    sensors: Sensor | Sequence[Sensor],
    model: FusionModel | None = None,
    *,
    dates: Any = None,
    covariates: Mapping[str, Any] | None = None,
    classes: Any = None,
    method: Method = "auto",
    learn: Learning = "gradient",
    footprints: int = 40,
    gate: float | None = 3.0,
    calibrate: bool = False,
    lag: int | None = None,
    hold_out: Any = None,
    draws: int = 0,
    seed: int = 0,
    engine: Engine = "serial",
    workers: int | None = None,
    store: str | PathLike[str] | None = None,
    progress: bool | None = None,
    output: str | PathLike[str] | None = None,
    tile: int = 128,
) -> Fused:
    """Estimate a field at the finest resolution from sensors at several, with its standard deviation.

    Each sensor sees weighted means of the field, with bias and noise; the field moves as the model says; all
    is Gaussian, so that the answer is exact: fine data inform the coarse and coarse data constrain the fine
    in one step.

    Args:
        sensors: what was seen; the pixels of the finest are those of the field.
        model: how the field moves; a random walk with exponential correlation within footprints unless given.
        dates: further dates that are wanted, beyond the last for a forecast; written as the sensors' are.
        covariates: fields that explain part of the value, by name: one number a date, a pixel, or both.
        classes: land cover, a label a pixel; classes have standard deviations of their own.
        method: "blocks" where footprints partition the pixels and nothing is correlated across them,
            "sparse" for some 6e4 unknowns, "iterative" beyond; "auto" chooses and says why.
        learn: parameters by marginal likelihood ("gradient", with priors) or by expectation and maximisation
            ("em", of the standard deviations, without priors).
        footprints: number of footprints that parameters are learnt from.
        gate: scenes whose differences to the interpolation of their sensor's others are so many times the
            usual are left out, and listed; None keeps all.
        calibrate: whether all standard deviations are multiplied so that 95 % of the pixels of scenes, each
            predicted without itself, lie inside their interval; the estimate stays what it is.
        lag: number of dates after each that may be looked at: None for all (the smoother), 0 for the past
            alone (the filter). By a sparse factor or iterations it takes one for each date.
        hold_out: dates of the finest sensor, or (sensor, dates): each is predicted with parameters that were
            learnt without it.
        draws: number of fields that are drawn from the posterior, each of which all data agree with: for what
            depends on several pixels or dates at once.
        seed: of the draws, and of the samples of the iterative method.
        engine: who does tiles and scenes held out: "serial" (this process), "local" (worker processes),
            "dask", a scheduler's address, or an object with `submit`.
        workers: number of worker processes.
        store: folder of finished work: a run that was stopped goes on where it was, with the same bits.
            Tiles are kept beside the output until that is whole, also without one.
        progress: whether to draw a bar; on a terminal unless given.
        output: a file (.nc, .zarr, .tif) that the field is written to tile by tile, where it need not fit
            into memory; sensors whose data lie in files are read window by window. Parameters are learnt
            from the sample of footprints and kept for all; the field is that of the whole. `mean` and `std`
            of the result are then an overview.
        tile: pixels along the edge of a tile, at least; footprints stay whole.

    Returns:
        mean and standard deviation on all dates, parameters, scenes left out, skill on scenes held out.

    Raises:
        InputError: sensors, model or options that do not fit.
        UnitError: units of which one cannot be converted to another.
        MissingExtraError: another coordinate reference system needs pyproj.

    Limits: linear and Gaussian. Where no fine scene shows what changed within a footprint, nothing can:
        the deviation says so.

    Cost: for n pixels of a footprint and T dates some 2 T n^3 operations a footprint, learning 30 (T + m) n^2
        for each of those that are learnt from.

    Source: Durbin & Koopman (2012), chapters 4 to 7; de Jong (1991), Ann. Statist. 19, 1073, for shared
        coefficients.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = np.cumsum(rng.standard_normal((9, 4, 4)), axis=0)
        >>> means = truth.mean(axis=(1, 2), keepdims=True)
        >>> coarse = Sensor("coarse", means, range(9), footprint=4, noise=0.1)
        >>> fine = Sensor("fine", truth[::4], range(0, 9, 4), noise=0.1)
        >>> found = fuse([coarse, fine])
        >>> bool(np.abs(found.mean - truth).mean() < 1.0), bool(found.std[0].max() < found.std[2].max())
        (True, True)
    """
    watch = Stopwatch()
    settings = _settings(
        method, Search(learn, footprints, gate, calibrate=calibrate), lag, seed, draws,
        Farm(engine, workers, store, progress),
    )  # fmt: skip
    asked = (sensors, model or FusionModel(), dates, covariates, classes)
    if output is None:
        answer = _in_memory(gather(*asked), hold_out, settings, watch)
    else:
        _refuse_draws(draws)
        place = _output(output, tile, settings)
        answer = _in_tiles(make_scene(*asked), hold_out, settings, place, tile, watch)
    checks = answer.checks
    watch.lap("checking")
    told = {
        "method": answer.method,
        "learn": learn,
        "footprints": footprints,
        "gate": gate,
        "calibrate": calibrate,
        "lag": lag,
    } | ({} if output is None else {"tile": tile})
    estimate, problem = answer.estimate, answer.problem
    seeded = seed if answer.method == "iterative" or draws else None
    return Fused(
        estimate.mean, estimate.std, problem.days, problem, answer.method, answer.why, answer.learnt,
        estimate, answer.gated, answer.held, tuple(checks), (*answer.notes, *_notes(answer, settings)),
        Provenance(
            answer.described, told | {"model": problem.model.to_dict()}, installed_versions(),
            this_machine(), watch.started, watch.elapsed, seeded,
        ),
        answer.written, answer.drawn,
    )  # fmt: skip


class Answer(NamedTuple):
    """What was found, in memory or in tiles; see `Fused`."""

    problem: Problem
    method: str
    why: str
    learnt: Learnt
    estimate: Estimate
    gated: tuple[Gated, ...]
    held: tuple[HeldOut, ...]
    checks: list[Check]
    described: dict[str, Any]
    notes: tuple[str, ...] = ()
    written: Written | None = None
    drawn: np.ndarray | None = None


def _in_memory(problem: Problem, hold_out: Any, settings: Settings, watch: Stopwatch) -> Answer:
    held = None if hold_out is None else scenes_to_hold(problem, hold_out)
    method, why = choose_method(problem, settings)
    watch.lap("reading")
    _refuse_steps(problem.band_names, settings)
    chosen = method_of(method, problem, settings.seed)
    learnt, clean, gated = learn_by(chosen, problem, settings.search)
    watch.lap("learning")
    estimate = chosen.estimate(clean, learnt.values, np.arange(len(clean.days)), settings.lag)
    watch.lap("estimating")
    rows = _hold_out(problem, method, held, settings)
    watch.lap("holding out")
    checks = _checks(clean, method, estimate, learnt, rows)
    described = {"grid": problem.grid.to_dict(), "dates": len(problem.days)} | _described(problem)
    drawn = _draws(clean, method, settings, learnt)
    watch.lap("drawing")
    return Answer(clean, method, why, learnt, estimate, gated, rows, checks, described, drawn=drawn)


def _draws(problem: Problem, method: str, settings: Settings, learnt: Learnt) -> np.ndarray | None:
    if not settings.draws:
        return None
    if method == "blocks":
        return draw_blocks(problem, _block(problem), learnt.values, settings.draws, settings.seed)
    return draw_joint(problem, learnt.values, method, settings.draws, settings.seed)


def _refuse_draws(draws: int) -> None:
    if draws:
        wanted, cure = "none where a field is written tile by tile", "fuse a window of it in memory"
        raise InputError("draws", got=draws, wanted=wanted, cure=cure)


def _in_tiles(
    scene: Scene, hold_out: Any, settings: Settings, output: Path, tile: int, watch: Stopwatch
) -> Answer:
    _refuse_steps(scene.bands, settings)
    farm = replace(settings.farm, store=settings.farm.kept or Store(work_folder(output)))
    sample = learn_sample(scene, settings.search, farm)
    held = None if hold_out is None else scenes_to_hold(sample.whole, hold_out)
    watch.lap("learning")
    found = estimate_tiles(scene, sample, output, tile, settings.lag, farm)
    watch.lap("estimating")
    rows = _hold_out(sample.whole, "blocks", held, replace(settings, farm=farm))
    if settings.farm.store is None:
        shutil.rmtree(work_folder(output))
    watch.lap("holding out")
    checks = [
        *agreement_checks(sample.clean, found.squares),
        *_sample_checks(sample.clean, scene.block, sample.learnt, rows),
    ]
    count = sample.whole.grid.shape[1] // scene.block[1]
    notes = (
        f"parameters, scenes left out{' and skill' if rows else ''} are from {count} footprints spread over "
        "the scene; parameters were then kept for all of it",
    )
    step = found.overview.step
    if step > 1:
        notes = (*notes, f"pictures show every {step}th pixel of the written field")
    why = f"footprints of {scene.block[0]} x {scene.block[1]} pixels partition the grid; {found.tiles} tiles"
    described = {"grid": scene.grid.to_dict(), "dates": len(scene.days)} | _described(sample.whole)
    written = Written(output, scene.grid, step, found.totals, found.tiles, count)
    problem = found.overview.problem(sample.clean)
    return Answer(
        problem, "blocks", why, sample.learnt, found.estimate, sample.gated, rows, checks, described, notes,
        written,
    )  # fmt: skip


def _output(output: str | PathLike[str], tile: Any, settings: Settings) -> Path:
    """Refuse, before any work, a file that could not be written, or a method that knows no tiles."""
    _check_whole("tile", tile, 1)
    if settings.method not in ("auto", "blocks"):
        got, wanted = f"'{settings.method}' with an output", "'blocks', which works tile by tile"
        raise InputError("method", got=got, wanted=wanted, cure="leave output out, and write the result")
    return check_field_path(output)


def choose_method(problem: Problem, settings: Settings) -> tuple[str, str]:
    """Return the method, and why.

    Raises:
        InputError: a method that cannot do this problem.
    """
    block = problem.block
    local = block is not None and problem.model.local
    if settings.method == "blocks" or (settings.method == "auto" and local):
        if not local:
            raise InputError(
                "method",
                got="'blocks'",
                wanted="footprints that partition the pixels, and no correlation across them",
                cure="pass method='auto'",
            )
        return "blocks", f"footprints of {block[0]} x {block[1]} pixels partition the grid"  # type: ignore[index]
    return _choose_joint(problem, settings)


def _choose_joint(problem: Problem, settings: Settings) -> tuple[str, str]:
    missing = problem.block is None and not all(
        problem.model.space_of(part) in ("independent", "across") for part in problem.model.parts
    )
    if missing:
        raise InputError(
            "space",
            got="a correlation within footprints",
            wanted="'independent' or 'across', because footprints do not partition the pixels",
            cure="write FusionModel(space='across')",
        )
    orders = sum(problem.model.orders)
    size = len(problem.days) * problem.pixels * orders
    why = "pixels are correlated across footprints"
    if problem.block is None:
        why = "footprints overlap or are not nested"
    elif problem.model.local:
        why = "asked for"
    if settings.method == "sparse" or (settings.method == "auto" and (size <= _SPARSE or orders > 1)):
        return "sparse", f"{why}; {size} unknowns fit one sparse factor, by {factor_package()}"
    return "iterative", f"{why}; {size} unknowns are too many for a sparse factor"


def _refuse_steps(bands: tuple[str, ...], settings: Settings) -> None:
    """Refuse expectation and maximisation of bands."""
    if bands and settings.search.method == "em":
        got, wanted = "'em' with bands", "'gradient', because correlations between bands have no such step"
        raise InputError("learn", got=got, wanted=wanted, cure="leave it out")


def _hold_out(
    problem: Problem, method: str, held: tuple[str, list[int]] | None, settings: Settings
) -> tuple[HeldOut, ...]:
    if held is None:
        return ()
    return hold_out_scenes(problem, method, held, settings.search, settings.farm, settings.seed)


def _checks(
    problem: Problem, method: str, estimate: Estimate, learnt: Learnt, rows: tuple[HeldOut, ...]
) -> list[Check]:
    if method != "blocks":
        told = check_joint(problem, learnt.values)
        return [*check_agreement(problem, estimate), *told, *check_coverage(rows)]
    return [*check_agreement(problem, estimate), *_sample_checks(problem, _block(problem), learnt, rows)]


def _sample_checks(
    problem: Problem, block: tuple[int, int], learnt: Learnt, rows: tuple[HeldOut, ...]
) -> list[Check]:
    return [
        *check_innovations(problem, block, learnt.values),
        check_batch(problem, block, learnt.values),
        *check_coverage(rows),
    ]


def _block(problem: Problem) -> tuple[int, int]:
    block = problem.block
    assert block is not None  # noqa: S101
    return block


def _notes(answer: Answer, settings: Settings) -> tuple[str, ...]:
    estimate, learnt, gated = answer.estimate, answer.learnt, answer.gated
    said = []
    if not learnt.converged:
        said.append(
            f"the search for parameters stopped after {learnt.steps} evaluations; it may not have ended"
        )
    if learnt.source:
        said.append(f"parameters were learnt from {learnt.source}, and are taken for all")
    if settings.search.calibrate:
        said.append(f"all standard deviations are {learnt.stretch:.3g} times the learnt ones, from scenes")
    said += [
        f"{o.outside} places of '{o.name}' do not lie on the fine grid and were not used"
        for o in answer.problem.observed
        if o.outside
    ]
    said += [
        f"{count} values of '{name}' count for less than a third: its noise has heavy tails"
        for name, count in doubtful(answer.problem).items()
        if count
    ]
    if gated:
        said.append(f"{len(gated)} scenes were left out because they contradict all others; see gated")
    if settings.lag == 0:
        said.append("estimates use the past alone")
    elif settings.lag is not None:
        said.append(f"estimates use data up to {settings.lag} dates later")
    if estimate.errors > 0:
        said.append(f"standard deviations are from samples; Monte-Carlo error {estimate.errors:.1%}")
    if settings.search.method == "em":
        said.append(
            "expectation and maximisation: no priors; times, lengths and nuggets stay at their medians"
        )
    return tuple(said)


def _described(problem: Problem) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for o in problem.observed:
        seen = np.isfinite(o.values)
        dates = int(seen.any(axis=1).sum())
        told[f"sensor {o.name}"] = f"{'x'.join(map(str, o.shape))}, {dates} dates, {int(seen.sum())} values"
    return told


def _settings(method: Any, search: Search, lag: Any, seed: Any, draws: Any, farm: Farm) -> Settings:
    check_engine(farm.engine, farm.workers)
    chosen = (("method", method, _METHODS), ("learn", search.method, ("gradient", "em")))
    for argument, got, known in chosen:
        if got not in known:
            cure = "choose one of them"
            raise InputError(argument, got=repr(got), wanted=" or ".join(map(repr, known)), cure=cure)
    _check_whole("footprints", search.footprints, 1)
    _check_whole("seed", seed, 0)
    _check_whole("draws", draws, 0)
    if lag is not None:
        _check_whole("lag", lag, 0)
    gate = search.gate
    if gate is not None and (isinstance(gate, bool) or not isinstance(gate, int | float) or not gate > 1):
        cure = "pass None to keep all scenes"
        raise InputError("gate", got=repr(gate), wanted="a number above 1, or None", cure=cure)
    if draws and lag is not None:
        cure = "leave lag out"
        raise InputError("draws", got=f"{draws} with a lag", wanted="none, or all data", cure=cure)
    return Settings(method, search, lag, seed, draws, farm)


def _check_whole(argument: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        wanted = f"a whole number of at least {least}"
        raise InputError(argument, got=repr(value), wanted=wanted, cure="correct it")
