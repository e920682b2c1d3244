"""Derivatives of homogenised constants by every fine cross-section, by the generalised adjoint.

    dC / dp = partial C / partial p + m . dG / dp,

with the importance m of each constant; k comes from the fundamental adjoint beside them.
"""

from collections.abc import Callable

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.reactor.adjoint_pair import AdjointPair, Parts, adjoint_pair, changes
from scalebridge.reactor.constants_spread import ConstantsSensitivity
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice
from scalebridge.reactor.importance import ImportanceSolver
from scalebridge.reactor.region_responses import DATA, Place, Ratio, places, ratio_of
from scalebridge.reactor.sensitivity import sensitivity_of

_MOST = 2000  # constants; each is a solution of its own
_ZERO = 1e-14


def constants_sensitivity(
    constants: HomogenizedLattice,
    *,
    rtol: float = 1e-8,
    max_steps: int = 600,
    watch: Callable[[int, float], None] | None = None,
) -> ConstantsSensitivity:
    """Compute the derivatives of all constants of regions by all fine data and radii.

    Args:
        constants: of `homogenize_lattice`, with D by inverse transport.
        rtol: wanted relative residual of every importance; forward and adjoint fluxes are solved as far.
        max_steps: limit of sweeps of each importance.
        watch: told of each constant done, and its residual.

    Raises:
        InputError: constants weighted with another spectrum, of a given source, or more than two thousand.
        SolverError: the forward or the adjoint problem did not converge.

    Limits: first order; D by inverse transport only.
    Cost: some tens to hundreds of sweeps a constant, and the memory of sixty fields of what enters
        the tracks.

    Example:
        >>> from scalebridge.reactor.homogenize_lattice import homogenize_lattice
        >>> from scalebridge.reactor.solve_transport import solve_transport
        >>> fuel = {"total": [0.5, 0.9], "scatter": [[0.44, 0.02], [0.0, 0.7]], "nu_fission": [0.01, 0.26]}
        >>> table = {"pitch": 1.0, "pins": {"F": {"material": "fuel"}}, "rows": ["F"]}
        >>> solution = solve_transport(table, {"fuel": fuel | {"chi": [1.0, 0.0]}}, azimuths=4, spacing=0.2)
        >>> found = constants_sensitivity(homogenize_lattice(solution, regions="lattice"))
        >>> slope = found.slope("absorption", 0, 1)["total"]["fuel"]  # of its own total, and of nothing else
        >>> slope.round(6).tolist()
        [0.0, 1.0]
    """
    wanted = _wanted(constants)
    pair = adjoint_pair(constants.solution, rtol, 4 * max_steps)
    k = sensitivity_of(pair)
    solver = ImportanceSolver(pair, rtol, max_steps)
    found, residuals = [], []
    for number, place in enumerate(wanted):
        one, residual = _slopes(constants, pair, solver, place)
        found.append(one)
        residuals.append(residual)
        if watch is not None:
            watch(number, residual)
    slopes = {
        key: {name: np.stack([one[0][key][name] for one in found]) for name in constants.solution.materials}
        for key in DATA
    }
    cells = found[0][1]
    radius = {name: np.stack([one[1][name] for one in found]) for name in cells}
    value = np.array([constant(constants, place) for place in wanted])
    meaning = "largest residual of the equations of importance, relative; a hundred times what was asked for"
    check = Check("importances", float(max(residuals)), 100.0 * rtol, meaning=meaning)
    return ConstantsSensitivity(wanted, value, slopes, radius, k, (*k.checks, check), solver.sweeps)


def constant(constants: HomogenizedLattice, place: Place) -> float:
    """Return a constant by its place."""
    field = getattr(constants, place.kind)[place.region, place.group]
    return float(field[place.to] if place.kind == "scatter" else field)


def _wanted(constants: HomogenizedLattice) -> tuple[Place, ...]:
    if constants.method != "inverse-transport":
        raise InputError(
            "diffusion",
            got=repr(constants.method),
            wanted="'inverse-transport', because others weight with a spectrum of their own",
            cure="pass diffusion='inverse-transport'",
        )
    found = places(len(constants.volume), len(constants.groups), constants.nu_fission.sum(axis=1) > 0)
    if len(found) > _MOST:
        raise InputError(
            "regions",
            got=f"{len(found)} constants",
            wanted=f"at most {_MOST}, each of which is a solution of its own",
            cure="take larger regions or fewer groups",
        )
    return found


def _slopes(
    constants: HomogenizedLattice, pair: AdjointPair, solver: ImportanceSolver, place: Place
) -> tuple[tuple[Parts, dict[str, np.ndarray]], float]:
    """Derivatives of one constant by data and radii, and how well its importance is known."""
    lattice = pair.sums.lattice
    starts = np.array(constants.groups)
    coarse = np.searchsorted(starts, np.arange(pair.flux.shape[1]), side="right") - 1
    ratio = ratio_of(place, pair.sums.materials, coarse, constant(constants, place))
    here = (constants.labels.ravel() == place.region)[lattice.region_pin]
    rates = pair.flux * lattice.region_volume[:, None] * here[:, None]
    above, below = ratio.above[lattice.region_material], ratio.below[lattice.region_material]
    size = float(np.sum(below * rates))
    value = float(np.sum(above * rates)) / size  # of the fluxes of the pair, which are solved further
    slope = (above - value * below) * here[:, None] / size
    own = (slope * pair.flux).sum(axis=1)
    if float(np.abs(slope * rates).sum()) <= _ZERO * abs(value):  # one material, one group: nothing to weight
        zero = np.zeros_like(pair.rows)
        pair.back.entering[:] = 0.0
        parts, radius = changes(pair, zero, zero, own)
        residual = 0.0
    else:
        found = solver.solve(slope)
        parts, radius = changes(pair, found.worth, found.multiplier, own)
        residual = found.residual
    return (_with_own(parts, ratio, pair, here, size), radius), residual


def _with_own(parts: Parts, ratio: Ratio, pair: AdjointPair, here: np.ndarray, size: float) -> Parts:
    """Add what a constant has of the data without the flux."""
    lattice = pair.sums.lattice
    rates = pair.flux * lattice.region_volume[:, None] * here[:, None] / size
    parts["fission"] = {m.name: np.zeros(m.groups) for m in pair.sums.materials}
    for i, name in enumerate(lattice.materials):
        flux = rates[lattice.region_material == i].sum(axis=0)
        for key, of in ratio.own.items():
            if name not in of:
                continue
            weighted = of[name] * (flux[:, None] if of[name].ndim == 2 else flux)
            if key == "moments":  # the first of those that were taken
                parts[key][name][:1] += weighted
            else:
                parts[key][name] = parts[key][name] + (weighted.sum(axis=0) if key == "chi" else weighted)
    return parts
