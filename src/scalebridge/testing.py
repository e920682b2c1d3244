"""Contract checks: what every implementor of an abstraction has to pass.

Call them from a test of your own class.
"""

from collections.abc import Callable

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
from scalebridge.inference.kernels import Kernel, State, Target
from scalebridge.inference.sampling_problems import DensityProblem, density_target
from scalebridge.upscaling.match import match_answers

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
    and a test of mean and variance, need no burn-in. All of it fails by chance once in some ten thousand
    seeds.

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
    share = moved / (chains * steps)
    assert share > 0.02, f"{problem.name}: the kernel hardly moves"
    return share


def _check_protocol(kernel: Kernel, start: np.ndarray) -> None:
    """The same generator gives the same step; states keep their form; nothing given is changed."""
    before = start.copy()
    state = kernel.init(start)
    np.testing.assert_array_equal(state.position, before)
    once, _ = kernel.step(np.random.default_rng(1), state)
    again, info = kernel.step(np.random.default_rng(1), state)
    assert type(once) is type(state) is State
    np.testing.assert_array_equal(once.position, again.position)
    np.testing.assert_array_equal(start, before)
    assert 0.0 <= info.probability <= 1.0
    assert (once.below is None) == (state.below is None)
    assert len(once.replicas) == len(state.replicas)
    for _ in range(50):  # a state that was accepted is one that init would make
        once, info = kernel.step(np.random.default_rng(int(1e6 * abs(once.position[0])) % 2**31), once)
    np.testing.assert_allclose(once.log_density, kernel.init(once.position).log_density, rtol=1e-9)


_respond = eqx.filter_jit(lambda model, load, state: model.respond(load, state))
