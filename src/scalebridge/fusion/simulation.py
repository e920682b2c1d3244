"""Conditional simulation: fields that all data agree with, as often as the posterior says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from scalebridge.fusion.block_engine import BlockData, Rows, System, smooth
from scalebridge.fusion.fusion_blocks import cut_blocks, field_of_blocks
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.joint_estimate import perturbation, solve_lines, time_lines
from scalebridge.fusion.joint_precision import Joint, make_joint
from scalebridge.fusion.learning import systems_of
from scalebridge.fusion.shared_coefficients import solve_coefficients
from scalebridge.fusion.sparse_factor import dissect, factorise
from scalebridge.grids.footprints import Sparse


def draw_blocks(
    problem: Problem, block: tuple[int, int], values: dict[str, float], count: int, seed: int
) -> np.ndarray:
    """Return fields drawn from what is known of them, by the block engine.

    A field and its observations are drawn from the model; what smoothing says of the difference of the true
    and the drawn observations is added. Every draw has a generator of its own.

    Args:
        problem: the problem.
        block: pixels of a footprint.
        values: all parameters.
        count: number of draws.
        seed: of the draws.

    Returns:
        (draws, dates, rows, columns), or with bands before rows.

    Cost: a smoothing for each draw.

    Source: Durbin & Koopman, Biometrika 89 (2002) 603.
    """
    layout, data = cut_blocks(problem, block)
    systems = systems_of(layout, values)
    every, drawn = np.arange(len(problem.days)), []
    for number in range(count):
        field, seen = simulate(data, systems, np.random.default_rng([seed, number]))
        found, _ = smooth(replace(data, values=data.values - seen), systems, every)
        drawn.append(field_of_blocks(field + found.mean, problem, block))
    return np.stack(drawn) + problem.level


def simulate(
    data: BlockData, systems: list[System], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a field (footprints, dates, pixels) and what its sensors would see (footprints, dates, rows)."""
    beta = np.sqrt(systems[0].prior) * generator.standard_normal(len(systems[0].prior))
    field = np.broadcast_to(
        data.field_columns @ beta, (len(data.values), *data.field_columns.shape[-3:-1])
    ).copy()
    seen = np.broadcast_to(data.columns @ beta, data.values.shape).copy()
    scale, kinds = np.ones(data.values.shape), np.zeros(len(data.values), dtype=int)
    for group in data.groups:
        scale[group.members], kinds[group.members] = group.scale, group.kind
    for kind, system in enumerate(systems):
        own = np.flatnonzero(kinds == kind)
        path = _paths(system, data.step, len(own), generator)  # (dates, states, footprints)
        for t, state in enumerate(path):
            field[own, t] += (_matrix(data.fields, len(state)) @ state).T
            seen[own, t] += (_matrix(data.observe, len(state)) @ state).T
    noise = np.sqrt(scale * systems[0].noise[data.sensor])
    return field, seen + noise * generator.standard_normal(seen.shape)


def _paths(system: System, step: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    roots, states = [_root(q) for q in system.innovation], len(system.start)
    path = [_root(system.start) @ generator.standard_normal((states, count))]
    for kind in step[1:]:
        moved = np.einsum("sw,swf->sf", system.transition[kind], path[-1][system.pattern])
        path.append(moved + roots[kind] @ generator.standard_normal((states, count)))
    return np.stack(path)


def _root(cov: np.ndarray) -> np.ndarray:
    """A root of a covariance, which may be singular: parts that do not move have no innovation."""
    sizes, along = np.linalg.eigh(cov)
    return along * np.sqrt(np.maximum(sizes, 0.0))


def _matrix(rows: Rows, states: int) -> Sparse:
    return sp.csr_matrix((rows.weight, rows.index, rows.pointer), (len(rows.pointer) - 1, states))


def draw_joint(problem: Problem, values: dict[str, float], method: str, count: int, seed: int) -> np.ndarray:
    """Return fields drawn from what is known of them, by the joint precision: perturb and solve.

    Args:
        problem: the problem.
        values: all parameters.
        method: "sparse" or "iterative".
        count: number of draws.
        seed: of the draws.

    Returns:
        (draws, dates, rows, columns), or with bands before rows.
    """
    joint = make_joint(problem, values)
    precision = joint.precision
    if method == "sparse":
        solve = factorise(precision, dissect(precision, joint.where)).solve
    else:
        solve = _by_iteration(joint, precision)
    sides = joint.right_sides
    solved = np.column_stack([solve(np.ascontiguousarray(side)) for side in sides.T])
    seen = np.column_stack([joint.values, joint.columns])
    shared, _ = solve_coefficients(seen.T @ (seen / joint.noise[:, None]) - sides.T @ solved, joint.prior)
    root, drawn = _root(shared.cov), []
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        beta = shared.mean + root @ generator.standard_normal(len(shared.mean))
        state = solved[:, 0] - solved[:, 1:] @ beta + solve(perturbation(joint, generator)[0])
        drawn.append(joint.field @ state + joint.field_columns @ beta)
    return np.stack(drawn).reshape(count, len(problem.days), *problem.field_shape) + problem.level


def _by_iteration(joint: Joint, precision: Sparse) -> Callable[[np.ndarray], np.ndarray]:
    rows = sp.csr_matrix(precision)
    lines = time_lines(joint, rows)
    return lambda side: solve_lines(rows, lines, side, 1e-8)
