"""Powers of pins in homogenised nodes: the flux inside of each node, times the form functions of its lattice.

Inside of a node the flux of a group is the polynomial of second order in x and y (nine terms) that has the
node's mean, the means over its four faces and the values at its four corners, with the terms of third and
fourth order of the nodal expansion, which are zero at all faces. A corner's value is the mean of what the
nodes around it make of their faces.

Source: K. R. Rempe, K. S. Smith, A. F. Henry, Nucl. Sci. Eng. 103 (1989) 334, for form functions.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.core_mesh import LOWER_SIDE, UPPER_SIDE, CoreMesh
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.core_study import CoreStudy
from scalebridge.reactor.diffusion_faces import conductances
from scalebridge.reactor.nodal_expansion import NodalShape, nodal_shape
from scalebridge.reactor.pin_tally import PinTally

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_CORNERS = ((0, 3), (1, 3), (0, 2), (1, 2))  # sides that meet: north-west, north-east, south-west, south-east


def form_functions(tally: PinTally) -> np.ndarray:
    """Return (ny, nx) powers of the pins of a lattice by their mean over all pins, fuel or not.

    Args:
        tally: fine solution of one assembly.
    """
    rate = (tally.fission * tally.flux).sum(axis=2) * tally.volume
    return rate / rate.mean()


def pin_powers(study: CoreStudy, forms: Mapping[str, Any]) -> np.ndarray:
    """Return the powers of all pins of a core in the plane, by the mean power of fuelled nodes' pins.

    Args:
        study: what `solve_core` found.
        forms: by region (py, px) powers of the pins by their mean, the same shape for all; ones for regions
            that are not named.

    Returns:
        (ny py, nx px); NaN where there is nothing. Each node keeps its power.

    Raises:
        InputError: the core is not in the plane, was solved by SP3, or the forms are not of one shape.

    Example:
        >>> from scalebridge.reactor.solve_core import solve_core
        >>> fuel = {"diffusion": [1.4, 0.4], "absorption": [0.01, 0.08], "nu_fission": [0, 0.135],
        ...     "chi": [1, 0], "scatter": [[0, 0.02], [0, 0]]}
        >>> found = solve_core([["fuel"]], {"fuel": fuel}, pitch=20, boundary="reflective")
        >>> pin_powers(found, {"fuel": [[1.2, 0.8], [0.8, 1.2]]}).round(6).tolist()
        [[1.2, 0.8], [0.8, 1.2]]
    """
    given = _checked(study, forms)
    shape = next(iter(given.values())).shape
    problem = study.problem
    means = _cell_terms(problem, study.solution, study.method)
    found = np.zeros((*study.power.shape, *shape))
    for axes, weight in _gauss(shape):
        found += weight * _density_at(study, means, *axes)
    form = np.ones((len(study.names), *shape))
    for name, value in given.items():
        form[study.names.index(name)] = value
    found = found * form[np.maximum(study.given.nodes, 0)]
    whole = found.mean(axis=(2, 3), keepdims=True)
    found = np.where(whole > 0, found / np.where(whole > 0, whole, 1.0), 0.0) * study.power[:, :, None, None]
    rows, columns = study.power.shape
    return found.transpose(0, 2, 1, 3).reshape(rows * shape[0], columns * shape[1])


def _gauss(shape: tuple[int, int]) -> list[tuple[tuple[np.ndarray, np.ndarray], float]]:
    """Return places of pins' quadrature points in a node, (py,) and (px,) from 0 to 1, with their weights."""
    down, across = ((np.arange(count) + 0.5) / count for count in shape)
    return [
        ((down + y / (2 * shape[0]), across + x / (2 * shape[1])), wy * wx / 4)
        for y, wy in zip(_POINTS, _WEIGHTS, strict=True)
        for x, wx in zip(_POINTS, _WEIGHTS, strict=True)
    ]


def _density_at(study: CoreStudy, terms: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return (ny, nx, py, px) power densities at places in each node."""
    problem = study.problem
    fission = problem.local.fission
    (row, v), (column, u) = (
        _located(study.given.widths[axis], study.given.counts[axis], places)
        for axis, places in ((1, down), (0, across))
    )
    cell = problem.mesh.index[row[:, None, :, None], column[None, :, None, :]]
    u, v = u[None, :, None, :], v[:, None, :, None]
    basis = [1, u, v, u**2 - 1 / 12, v**2 - 1 / 12, u * v]
    basis += [(u**2 - 1 / 12) * v, u * (v**2 - 1 / 12), (u**2 - 1 / 12) * (v**2 - 1 / 12)]
    basis += [one**3 - one / 4 for one in (u, v)]
    basis += [one**4 - 0.3 * one**2 + 1 / 80 for one in (u, v)]
    power = (terms * fission[:, None, :]).sum(axis=2)
    found = sum(power[cell, i] * one for i, one in enumerate(basis))
    return np.where(cell >= 0, found, 0.0)


def _located(widths: np.ndarray, counts: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (nodes, pins) number of the volume along an axis, and the place in it from -1/2 to 1/2."""
    del widths  # volumes of a node are equal
    fine = places[None, :] * counts[:, None]
    inside = np.minimum(fine.astype(int), counts[:, None] - 1)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return first[:, None] + inside, fine - inside - 0.5


def _cell_terms(problem: CoreProblem, solution: CoreSolution, method: str) -> np.ndarray:
    """Return (cells, 13, G) coefficients of `_density_at`, all of mean zero but the first."""
    mesh, mean = problem.mesh, solution.flux
    shape = nodal_shape(problem, solution) if method == "nodal" else _flat_shape(problem, solution)
    face = shape.face
    corner = _corner_values(mesh, mean, face)
    west, east, south, north = (face[:, side] for side in range(4))
    terms = np.zeros((mesh.cells, 13, mean.shape[1]))
    terms[:, 0] = mean
    terms[:, 1], terms[:, 2] = east - west, south - north  # v runs to the south
    terms[:, 3] = 3 * (east + west - 2 * mean)
    terms[:, 4] = 3 * (south + north - 2 * mean)
    flat = terms[:, 0] + terms[:, 3] / 6 + terms[:, 4] / 6
    left = {}
    for at, (u, v) in zip(range(4), ((-1, -1), (1, -1), (-1, 1), (1, 1)), strict=True):
        left[u, v] = corner[:, at] - flat - u * terms[:, 1] / 2 - v * terms[:, 2] / 2
    nw, ne, sw, se = left[-1, -1], left[1, -1], left[-1, 1], left[1, 1]
    terms[:, 5] = nw - ne - sw + se
    terms[:, 6] = 3 * (sw + se - nw - ne)
    terms[:, 7] = 3 * (ne + se - nw - sw)
    terms[:, 8] = 9 * (nw + ne + sw + se)
    terms[:, 9:11], terms[:, 11:13] = shape.third, shape.fourth
    return terms


def _flat_shape(problem: CoreProblem, solution: CoreSolution) -> NodalShape:
    """Return the fluxes at the faces of finite volumes, which know no more."""
    mesh, flux = problem.mesh, solution.flux
    half = conductances(mesh, problem.local.diffusion)
    inner, outer = solution.current
    face = np.zeros((mesh.cells, 4, flux.shape[1]))
    face[mesh.lower, UPPER_SIDE[mesh.axis]] = flux[mesh.lower] - inner / half.lower
    face[mesh.upper, LOWER_SIDE[mesh.axis]] = flux[mesh.upper] + inner / half.upper
    face[mesh.rim, mesh.side] = flux[mesh.rim] - outer / half.rim
    none = np.zeros((mesh.cells, 2, flux.shape[1]))
    return NodalShape(face, none, none)


def _corner_values(mesh: CoreMesh, mean: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return (cells, 4, G) fluxes at the corners: what volumes around make of them, averaged."""
    own = np.stack([face[:, x] + face[:, y] - mean for x, y in _CORNERS], axis=1)
    rows, columns = mesh.index.shape
    whole = np.zeros((rows + 1, columns + 1, mean.shape[1]))
    count = np.zeros((rows + 1, columns + 1, 1))
    row, column = np.nonzero(mesh.index >= 0)
    places = ((0, 0), (0, 1), (1, 0), (1, 1))
    for at, (down, right) in enumerate(places):
        np.add.at(whole, (row + down, column + right), own[:, at])
        np.add.at(count, (row + down, column + right), 1.0)
    return np.stack(
        [whole[row + down, column + right] / count[row + down, column + right] for down, right in places],
        axis=1,
    )


def _checked(study: CoreStudy, forms: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if study.power.ndim != 2 or study.method == "sp3":
        raise InputError(
            "study",
            got=f"{study.power.ndim} dimensions by {study.method}",
            wanted="a core in the plane, by 'nodal' or 'volumes'",
            cure="solve it layer by layer",
        )
    given = {name: np.asarray(value, dtype=float) for name, value in forms.items()}
    wrong = [name for name in given if name not in study.names]
    shapes = {value.shape for value in given.values()}
    if wrong or len(shapes) != 1 or any(value.ndim != 2 or (value < 0).any() for value in given.values()):
        raise InputError(
            "forms",
            got=f"{wrong[0]!r}" if wrong else f"shapes {sorted(shapes)}",
            wanted=f"arrays of one shape (py, px), not negative, for regions among {', '.join(study.names)}",
            cure="take them from form_functions of each lattice",
        )
    return given
