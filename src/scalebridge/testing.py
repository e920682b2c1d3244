"""Contract checks: what every implementor of an abstraction has to pass.

Call them from a test of your own class.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import ndtri
from scipy.stats import kstest

from scalebridge.core.estimate import Estimate
from scalebridge.core.model import HostLinearModel, LinearModel, Model, Response
from scalebridge.core.spec import Spec
from scalebridge.core.transfer import Transfer
from scalebridge.grids.coefficients import PhaseCoefficients
from scalebridge.grids.discretisation import Discretisation, GreenOperator
from scalebridge.inference.kernels import Kernel, Target
from scalebridge.inference.kernels import State as ChainState
from scalebridge.inference.sampling_problems import DensityProblem, density_target
from scalebridge.laws.path_law import PathLaw, State
from scalebridge.upscaling.match import match_answers
from scalebridge.upscaling.rotations import mandel_basis, mandel_rotation, spread_rotations

_ROUNDING = 1e-12  # some thousand operations in float64 on numbers of order one


def check_spec(spec: Spec, value: Array) -> None:
    """A Spec is hashable, maps a value to `size` free numbers and back, and back again from any numbers."""
    assert hash(spec) == hash(spec)
    coordinates = spec.to_unconstrained(value)
    assert coordinates.shape == (spec.size,)
    np.testing.assert_allclose(spec.from_unconstrained(coordinates), value, rtol=_ROUNDING, atol=_ROUNDING)
    free = jnp.sin(jnp.arange(1.0, spec.size + 1))
    np.testing.assert_allclose(
        spec.to_unconstrained(spec.from_unconstrained(free)), free, rtol=1e-9, atol=1e-9
    )


def check_model(model: Model, load: Array) -> None:
    """A Model answers with what it declares, twice the same, and its state is left alone."""
    state = model.rest()
    first, second = _respond(model, load, state), _respond(model, load, state)
    assert load.shape == (model.asks.size,)
    assert first.answer.shape == (model.answers.size,)
    assert bool(jnp.all(first.answer == second.answer)), "a model must be a pure function"
    assert jax.tree.structure(first.state) == jax.tree.structure(state)


def check_linear_model(model: LinearModel, load: Array, *, rtol: float) -> None:
    """A LinearModel is linear, its energy is that of its answer, and pieces give what one go gives.

    Args:
        model: the model.
        load: a load that is not zero.
        rtol: relative accuracy that the model's solver was asked for, of the answer.
    """
    check_model(model, load)
    once, twice = _respond(model, load, model.rest()), _respond(model, 2.0 * load, model.rest())
    other = _respond(model, jnp.roll(load, 1), model.rest())
    scale = float(jnp.max(jnp.abs(once.answer)))
    np.testing.assert_allclose(twice.answer, 2.0 * once.answer, atol=10 * rtol * scale)
    energy = eqx.filter_jit(lambda m, a, b: m.energy(a, b))
    forward, backward = energy(model, once.fields, other.fields), energy(model, other.fields, once.fields)
    np.testing.assert_allclose(forward, backward, atol=_ROUNDING * scale)
    np.testing.assert_allclose(energy(model, once.fields, once.fields), load @ once.answer, rtol=10 * rtol)
    begin, advance = eqx.filter_jit(lambda m, q: m.begin(q)), eqx.filter_jit(lambda m, w, n: m.advance(w, n))
    work = begin(model, load)
    while not model.outlook(work).done:
        work = advance(model, work, jnp.asarray(3))
    finished = eqx.filter_jit(lambda m, q, w: m.finish(q, w))(model, load, work)
    # Pieces are compiled apart from the whole, which may order the roundings differently.
    np.testing.assert_allclose(finished.answer, once.answer, atol=10 * rtol * scale)


def check_host_linear_model(model: HostLinearModel, load: np.ndarray, *, rtol: float) -> None:
    """A HostLinearModel is linear, its energy is that of its answer, and pieces give what one go gives.

    Args:
        model: the model.
        load: a load that is not zero.
        rtol: relative accuracy that the model's solver was asked for, of the answer's work on the load.
    """
    assert load.shape == (model.asks.size,)
    once, twice = _in_pieces(model, load, 1 << 30), _in_pieces(model, 2.0 * load, 1 << 30)
    scale = float(jnp.max(jnp.abs(once.answer)))
    root = rtol**0.5  # an answer alone has an error of first order in the fields'
    assert once.answer.shape == (model.answers.size,)
    np.testing.assert_allclose(twice.answer, 2.0 * once.answer, atol=10 * root * scale)
    energies = model.energies([once.fields, twice.fields])
    np.testing.assert_allclose(energies, energies.T, atol=_ROUNDING * np.max(np.abs(energies)))
    np.testing.assert_allclose(energies[1, 1], 4.0 * energies[0, 0], rtol=10 * rtol)
    np.testing.assert_allclose(energies[0, 0], load @ np.asarray(once.answer), rtol=10 * root)
    pieces = _in_pieces(model, load, 2)
    np.testing.assert_allclose(pieces.answer, once.answer, atol=10 * root * scale)
    np.testing.assert_allclose(model.energies([pieces.fields]), energies[:1, :1], rtol=10 * rtol)


def _in_pieces(model: HostLinearModel, load: np.ndarray, steps: int) -> Response:
    work = model.begin(load)
    while not model.outlook(work).done:
        work = model.advance(work, steps)
    return model.finish(load, work)


def check_transfer(transfer: Transfer, seed: int = 0) -> None:
    """Restrict after prolong is the identity, restrict is prolong's weighted adjoint, means are conserved."""
    rng = np.random.default_rng(seed)
    fine = jnp.asarray(rng.standard_normal(transfer.fine_shape))
    coarse = jnp.asarray(rng.standard_normal(transfer.coarse_shape))
    np.testing.assert_allclose(transfer.restrict(transfer.prolong(coarse)), coarse, atol=_ROUNDING)
    up = transfer.inner_coarse(transfer.restrict(fine), coarse)
    down = transfer.inner_fine(fine, transfer.prolong(coarse))
    np.testing.assert_allclose(up, down, atol=_ROUNDING * fine.size)
    ones = transfer.prolong(jnp.ones(transfer.coarse_shape))
    np.testing.assert_allclose(
        transfer.inner_fine(fine, ones),
        transfer.inner_coarse(transfer.restrict(fine), jnp.ones(transfer.coarse_shape)),
        atol=_ROUNDING * fine.size,
    )


def check_estimate(estimate: Estimate, key: Array) -> None:
    """An Estimate samples what it knows, pushes the identity to itself, and narrows when it sees more."""
    spec = estimate.specs[0]
    draws = estimate.sample(key, 4000)[0]
    assert draws.shape == (4000, *spec.shape)
    # Five standard errors of a mean of 4000 draws.
    np.testing.assert_allclose(
        jnp.mean(draws, axis=0),
        estimate.value[0],
        atol=5 * float(jnp.max(estimate.std[0])) / 4000**0.5 + 1e-12,
    )
    pushed = estimate.push(lambda *values: values[0], spec)
    np.testing.assert_allclose(pushed.value[0], estimate.value[0], rtol=1e-9)
    np.testing.assert_allclose(pushed.std[0], estimate.std[0], rtol=1e-9)
    matrix = jnp.zeros((1, sum(s.size for s in estimate.specs))).at[0, 0].set(1.0)
    centre = spec.to_unconstrained(estimate.value[0])[:1]
    seen = estimate.condition(matrix, centre, jnp.eye(1) * 1e-4)
    assert float(jnp.ravel(seen.std[0])[0]) < float(jnp.ravel(estimate.std[0])[0])


def check_match(
    coarse: Callable[..., Array], specs: tuple[Spec, ...], values: tuple, start: tuple, *, rtol: float = 1e-7
) -> None:
    """A coarse model can be matched: its own answers lead back to the values, with derivatives and posterior.

    The derivatives of the parameters by the answers undo those of the answers by the parameters, and carry
    the noise to the posterior.

    Args:
        coarse: the coarse model, as `match_answers` takes it.
        specs: its parameters.
        values: what they are.
        start: values to start from.
        rtol: relative accuracy wanted of the values.
    """
    given = [jnp.asarray(v, dtype=float) for v in values]
    answers = jnp.atleast_1d(coarse(*given))
    noise = 1e-3 * jnp.max(jnp.abs(answers)) * jnp.ones(answers.size)
    found = match_answers(coarse, answers, specs, start, noise=noise)
    assert found.passed, [str(check) for check in found.checks]
    assert found.estimate is not None
    coordinates = jnp.concatenate([s.to_unconstrained(v) for s, v in zip(specs, given, strict=True)])
    np.testing.assert_allclose(found.estimate.mean, coordinates, rtol=rtol, atol=rtol)
    by_value = jax.jacfwd(lambda *v: jnp.atleast_1d(coarse(*v)), argnums=tuple(range(len(given))))(*given)
    for row, (value, slope) in enumerate(zip(given, found.derivatives, strict=True)):
        np.testing.assert_allclose(found.values[row], value, rtol=10 * rtol, atol=10 * rtol)
        spread = jnp.linalg.norm(slope * noise, axis=-1)
        np.testing.assert_allclose(found.estimate.std[row], spread, rtol=1e-5, atol=1e-12)
        # A step along the parameter's support leads to answers from which the derivatives lead back.
        step = _step_inside(specs[row], value)
        moved = jnp.tensordot(by_value[row], step, axes=step.ndim)
        np.testing.assert_allclose(slope @ moved, step, rtol=1e-5, atol=1e-9)


def _step_inside(spec: Spec, value: Array) -> Array:
    """Return a small change of a value that its support allows."""
    middle = spec.to_unconstrained(value)
    return jax.jvp(spec.from_unconstrained, (middle,), (jnp.ones_like(middle),))[1]


def check_discretisation(
    make: Callable[[tuple[int, ...], tuple[float, ...]], Discretisation], dim: int
) -> None:
    """A Discretisation derives from its energy, is exact on a homogeneous medium, and knows its symbol."""
    rng = np.random.default_rng(dim)
    shape, spacing = (4, 5, 6)[:dim], (1.0, 0.7, 1.3)[:dim]
    grid = make(shape, spacing)
    medium = PhaseCoefficients(jnp.asarray([1.0, 7.0]), jnp.asarray(rng.integers(0, 2, shape)))
    uniform = PhaseCoefficients(jnp.asarray([2.0]), jnp.zeros(shape, int))
    u, v = (jnp.asarray(rng.standard_normal(shape)) for _ in range(2))
    load = jnp.asarray(rng.standard_normal(dim))
    seen = jax.jit(lambda a, b, e: _probe(grid, medium, uniform, (a, b, e)))(u, v, load)
    np.testing.assert_allclose(seen["forces"], seen["slope"], atol=_ROUNDING * 100)
    np.testing.assert_allclose(seen["forces"].sum(), 0.0, atol=_ROUNDING * 100)
    np.testing.assert_allclose(seen["vKu"], seen["uKv"], rtol=1e-10)
    np.testing.assert_allclose(seen["vKu"], u.size * seen["energy"], rtol=1e-10)
    np.testing.assert_allclose(seen["mean gradient"], load, atol=_ROUNDING)
    np.testing.assert_allclose(seen["uniform forces"], 0.0, atol=_ROUNDING)
    np.testing.assert_allclose(seen["green of forces"], u - u.mean(), atol=1e-11)


def _probe(
    grid: Discretisation,
    medium: PhaseCoefficients,
    uniform: PhaseCoefficients,
    fields: tuple[Array, Array, Array],
) -> dict[str, Array]:
    """Everything that is looked at, in one function, because compiling is what such a check costs."""
    u, v, load = fields
    none = jnp.zeros_like(load)
    green = GreenOperator.of(grid, 2.0 * jnp.eye(grid.dim))
    return {
        "forces": grid.forces(medium, u, load),
        "slope": jax.grad(lambda w: 0.5 * u.size * grid.energy(medium, (w, load), (w, load)))(u),
        "vKu": jnp.vdot(v, grid.forces(medium, u, None)),
        "uKv": jnp.vdot(u, grid.forces(medium, v, None)),
        "energy": grid.energy(medium, (v, none), (u, none)),
        "mean gradient": grid.gradient_field(u, load).reshape(grid.dim, -1).mean(axis=1),
        "uniform forces": grid.forces(uniform, jnp.zeros_like(u), load),
        "green of forces": green(grid.forces(uniform, u, None)),
    }


def check_kernel(
    make: Callable[[Target], Kernel],
    problem: DensityProblem,
    *,
    chains: int = 400,
    steps: int = 10,
    seed: int = 0,
) -> float:
    """A kernel keeps its protocol, and leaves the density of its target unchanged.

    Chains start from exact draws, so that after any number of steps of a right kernel they are exact draws,
    independent of each other: a Kolmogorov-Smirnov test of every coordinate (by Rosenblatt's transformation),
    and a test of mean and variance, need no burn-in. So do tests of what changed between the first step and
    the last, which see far smaller errors, because start and end of a chain are alike. All of it fails by
    chance once in some ten thousand seeds.

    Args:
        make: makes the kernel from its target.
        problem: the density, with its exact draws.
        chains: number of exact draws.
        steps: steps from each.
        seed: of all random numbers.

    Returns:
        the share of steps that were accepted.
    """
    kernel = make(density_target(problem.log_density))
    rng = np.random.default_rng(seed)
    starts = problem.draw(rng, chains)
    _check_protocol(kernel, starts[0].copy())
    ends, moved = np.empty_like(starts), 0
    for row, start in enumerate(starts):
        state = kernel.init(start)
        for _ in range(steps):
            state, info = kernel.step(rng, state)
            moved += info.accepted
        ends[row] = state.position
    for column in problem.uniform(ends).T:
        assert kstest(column, "uniform").pvalue > 1e-5, f"{problem.name}: not its density any more"
        normal = ndtri(np.clip(column, 1e-12, 1.0 - 1e-12))
        # Standard errors of the mean of n standard normal numbers, and of their mean square.
        assert abs(normal.mean()) < 4.5 / chains**0.5, f"{problem.name}: mean {normal.mean():.3g}"
        spread = np.mean(normal**2) - 1.0
        assert abs(spread) < 4.5 * (2.0 / chains) ** 0.5, f"{problem.name}: variance {spread:+.3g}"
    _check_pairs(problem, starts, ends)
    share = moved / (chains * steps)
    assert share > 0.02, f"{problem.name}: the kernel hardly moves"
    return share


def _check_pairs(problem: DensityProblem, starts: np.ndarray, ends: np.ndarray) -> None:
    """Means of functions of a chain's place do not change from its start to its end."""
    before, after = (ndtri(np.clip(problem.uniform(x), 1e-12, 1.0 - 1e-12)) for x in (starts, ends))
    kinds = (
        ("mean", lambda z: z),
        ("variance", lambda z: z**2),
        ("correlation", lambda z: z[:, :1] * z[:, 1:]),
        ("density", lambda z: np.sum(z**2, axis=1, keepdims=True)),
    )
    for name, of in kinds:
        change = of(after) - of(before)
        error = change.std(axis=0, ddof=1) / len(change) ** 0.5
        worst = float(np.max(np.abs(change.mean(axis=0)) / (error + 1e-300)))
        assert worst < 4.5, f"{problem.name}: {name} drifts by {worst:.1f} standard errors"


def _check_protocol(kernel: Kernel, start: np.ndarray) -> None:
    """The same generator gives the same step; states keep their form; nothing given is changed."""
    before = start.copy()
    state = kernel.init(start)
    np.testing.assert_array_equal(state.position, before)
    once, _ = kernel.step(np.random.default_rng(1), state)
    again, info = kernel.step(np.random.default_rng(1), state)
    assert type(once) is type(state) is ChainState
    np.testing.assert_array_equal(once.position, again.position)
    np.testing.assert_array_equal(start, before)
    assert 0.0 <= info.probability <= 1.0
    assert (once.below is None) == (state.below is None)
    assert len(once.replicas) == len(state.replicas)
    for _ in range(50):  # a state that was accepted is one that init would make
        once, info = kernel.step(np.random.default_rng(int(1e6 * abs(once.position[0])) % 2**31), once)
    np.testing.assert_allclose(once.log_density, kernel.init(once.position).log_density, rtol=1e-9)


_respond = eqx.filter_jit(lambda model, load, state: model.respond(load, state))


def check_path_law(
    law: PathLaw,
    size: float,
    *,
    dt: float = 1.0,
    isotropic: bool = True,
    ramps: bool = False,
    seed: int = 0,
    paths: int = 8,
) -> None:
    """A PathLaw is what it declares to be, along random paths of five steps.

    Rest is free of stress, and as stiff as `stiffness` says. The tangent is the derivative of `respond` (the
    error of a step falls with its square: slope 1.95 over four halvings), symmetric where that is declared.
    The stress is the derivative of the free energy. No step gives energy away. A rotated load has a rotated
    answer. Where `margin` says so, and only there, the law is linear and its state stays.

    Args:
        law: the law, with concrete parameters.
        size: of the strains: some times that at which the law begins to do what it is for.
        dt: time of a step, s.
        isotropic: whether the law has no directions of its own.
        ramps: whether the law follows the strain on its way through a step. Then the work of the step has to
            be more than the energy it stores; else, what the change of state leaves at a fixed strain.
        seed: of the paths; take another one where a path meets a corner of a curve.
        paths: how many of them.
    """
    rng = np.random.default_rng(seed)
    origin = np.eye(3) if law.finite else np.zeros(6)
    rotation = spread_rotations(3, 3)[2]
    one = _LawProbe(law, rotation, mandel_rotation(rotation))
    state = jax.tree.map(lambda x: jnp.broadcast_to(x, (paths, *x.shape)), law.rest())
    before = jnp.broadcast_to(origin, (paths, *origin.shape))
    _check_rest(law, _ask_law(one, before, state, before, before, jnp.asarray(0.0)))
    margins = []
    for _ in range(5):
        after, along = size * rng.standard_normal((2, paths, *origin.shape))
        after = jnp.asarray(origin + after)
        found = _ask_law(one, before, state, after, jnp.asarray(along), jnp.asarray(dt))
        _check_step(law, jax.tree.map(np.asarray, found), isotropic, "work" if ramps else "drop")
        before, state = after, found["state"]
        margins.append(np.asarray(found["margins"]))
    if law.rest():  # paths that never flow, or never unload, have not asked much
        ends = np.max(margins), np.min(margins)
        assert ends[1] == np.inf or ends[0] > 0.0 > ends[1], "try another size"


def _check_rest(law: PathLaw, found: dict[str, Any]) -> None:
    """At rest the state is as declared, there is no stress, and the tangent is the stiffness."""
    rest, specs, stiffness = law.rest(), law.state_specs(), np.asarray(law.stiffness())
    assert {name: x.shape for name, x in rest.items()} == {name: spec.shape for name, spec in specs.items()}
    assert jax.tree.structure(found["state"]) == jax.tree.structure(rest)
    scale = np.max(np.abs(stiffness))
    np.testing.assert_allclose(found["stress"][0] / scale, 0.0, atol=_ROUNDING)
    tangent = np.asarray(found["tangent"][0])
    if law.finite:
        basis = mandel_basis(3).reshape(6, 9)
        tangent = basis @ tangent @ basis.T
    np.testing.assert_allclose(tangent / scale, stiffness / scale, atol=1e-10)
    margin = found["margins"][0, 0]
    assert margin <= 0.0 or margin == np.inf


_SHARES = np.array([0.0, 0.02, 0.05, 0.1, 1.0])  # of a step, at which its line is looked at


class _LawProbe(eqx.Module):
    """All that is asked of a law in one step, in one compiled function."""

    law: PathLaw
    rotation: np.ndarray
    turn: np.ndarray

    def __call__(
        self, before: Array, state: State, after: Array, along: Array, dt: Array
    ) -> dict[str, Array | State]:
        law, near = self.law, 1e-3 * 0.5 ** np.arange(5.0)
        line = jnp.stack([before + share * (after - before) for share in _SHARES])
        nearby = jnp.stack([after + step * along for step in near])
        asked = jnp.concatenate([line, nearby, jnp.stack([self._framed(after), self._turned(after)])])
        stresses, states = jax.vmap(law.respond, in_axes=(0, 0, None))(asked, self._states(state), dt)
        last, first = len(_SHARES) - 1, len(_SHARES)
        stress, grown = stresses[last], {name: x[last] for name, x in states.items()}
        tangent = law.tangent(after, state, dt)
        slope = (tangent @ along.ravel()).reshape(stress.shape)
        errors = stresses[first:-2] - stress - near.reshape(-1, *[1] * stress.ndim) * slope
        energy, kept, old = (law.free_energy(*at) for at in ((after, grown), (after, state), (before, state)))
        return {
            "state": grown,
            "stress": stress,
            "tangent": tangent,
            "errors": jnp.linalg.norm(errors.reshape(len(near), -1), axis=1),
            "energy slope": jax.grad(law.free_energy)(after, grown),
            "drop": kept - energy,
            "work": jnp.sum(stress * (after - before)) - energy + old,
            "energy": jnp.abs(energy) + jnp.abs(kept) + jnp.abs(old),
            "framed": stresses[-2] - self._framed(stress),
            "turned": stresses[-1] - self._turned(stress),
            "line": stresses[:first].reshape(first, -1),
            "margins": jax.vmap(law.margin, in_axes=(0, None))(line, state),
            "stays": jnp.stack([self._stays(states, state, k) for k in range(first)]),
        }

    def _states(self, state: State) -> State:
        """Copy the state for all loads; for the rotated ones its tensors are rotated with the material."""
        many = len(_SHARES) + 5
        copies = {}
        for name, x in state.items():
            turned = x @ self.turn.T if x.shape[-1:] == (6,) else x
            ends = [x if self.law.finite else turned, turned]
            copies[name] = jnp.concatenate([jnp.broadcast_to(x, (many, *x.shape)), jnp.stack(ends)])
        return copies

    def _stays(self, states: State, state: State, place: int) -> Array:
        same = [jnp.all(states[name][place] == x) for name, x in state.items()]
        return jnp.all(jnp.asarray(same))

    def _framed(self, tensor: Array) -> Array:
        """Rotate the answer's axes: F and P have theirs on the left."""
        return jnp.asarray(self.rotation if self.law.finite else self.turn) @ tensor

    def _turned(self, tensor: Array) -> Array:
        """Rotate the material's axes: F and P have theirs on the right."""
        return tensor @ self.rotation.T if self.law.finite else jnp.asarray(self.turn) @ tensor


@jax.jit
def _ask_law(
    one: _LawProbe, before: Array, state: State, after: Array, along: Array, dt: Array
) -> dict[str, Any]:
    """Ask on many paths; laws of one kind share what is compiled."""
    return jax.vmap(one, in_axes=(0, 0, 0, 0, None))(before, state, after, along, dt)


def _check_step(law: PathLaw, found: dict[str, np.ndarray], isotropic: bool, dissipated: str) -> None:
    """What a step has shown of every path is as it should be."""
    stress, tangent = found["stress"], found["tangent"]
    assert np.all(np.isfinite(stress)), "a law answers any load of this size"
    over = np.max(np.abs(stress))
    np.testing.assert_allclose(found["energy slope"] / over, stress / over, atol=1e-9)
    assert np.all(found[dissipated] >= -_ROUNDING * found["energy"]), "a step gives energy away"
    errors = found["errors"] / over
    curved = errors[:, 0] > 1e-10  # else it is linear, and what is left is rounding
    slopes = np.log2(errors[curved, 0] / errors[curved, -1]) / 4
    assert np.all(slopes > 1.95), f"the tangent is not the derivative of respond: slopes {slopes}"
    if law.symmetric:
        size = np.max(np.abs(tangent))
        np.testing.assert_allclose(tangent / size, tangent.swapaxes(1, 2) / size, atol=1e-9)
    if law.finite or isotropic:
        np.testing.assert_allclose(found["framed"] / over, 0.0, atol=1e-9)
    if isotropic:
        np.testing.assert_allclose(found["turned"] / over, 0.0, atol=1e-9)
    _check_margin(found, over)


def _check_margin(found: dict[str, np.ndarray], scale: float) -> None:
    """Where the margin is not positive the state stays, the stress is linear; elsewhere the state moves."""
    margins, stays = found["margins"], found["stays"]
    if found["state"]:
        # On the surface rounding decides, and a power of a small overstress may be lost in rounding.
        clear = np.isfinite(margins) & ((margins < -1e-9) | (margins > 0.02))
        np.testing.assert_array_equal(stays[clear], margins[clear] <= 0.0)
    linear = np.all(margins[:, :4] <= 0.0, axis=1)
    slopes = np.diff(found["line"][linear, :4], axis=1) / np.diff(_SHARES[:4])[None, :, None]
    np.testing.assert_allclose(np.ptp(slopes, axis=1) / scale, 0.0, atol=1e-9)


def uniaxial_stress(law: PathLaw, strains: np.ndarray, dt: float = 1.0) -> np.ndarray:
    """Stress along axis 1 of an isotropic law that is pulled along it and free at its sides.

    Args:
        law: the law.
        strains: (steps,) strains along axis 1; at finite strain F11 - 1.
        dt: time of each step, s.

    Returns:
        (steps,) stress along axis 1, Pa; at finite strain the nominal one.
    """

    def load(axial: Array, sides: Array) -> Array:
        values = jnp.stack([axial, sides, sides])
        return jnp.eye(3) + jnp.diag(values) if law.finite else jnp.append(values, jnp.zeros(3))

    def step(work: tuple[Array, State], axial: Array) -> tuple[tuple[Array, State], Array]:
        def free(_: int, sides: Array) -> Array:
            def side(sides: Array) -> Array:
                return law.respond(load(axial, sides), work[1], dt)[0].ravel()[4 if law.finite else 1]

            value, slope = jax.jvp(side, (sides,), (jnp.ones(()),))
            return sides - jnp.where(slope != 0.0, value / jnp.where(slope != 0.0, slope, 1.0), 0.0)

        sides = jax.lax.fori_loop(0, 25, free, work[0])
        stress, grown = law.respond(load(axial, sides), work[1], dt)
        return (sides, grown), stress.ravel()[0]

    along = jax.jit(
        lambda axial: jax.lax.scan(step, (jnp.zeros(()), law.rest()), axial),
    )
    return np.asarray(along(jnp.asarray(strains, dtype=float))[1])
