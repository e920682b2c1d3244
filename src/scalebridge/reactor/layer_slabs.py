"""Slabs by discrete directions, with sources that are parabolas in each cell, in closed form.

In a cell of optical thickness t along a direction, with v from -1 to 1 along it and q(v) = sum of q_p P_p(v),

    (2 / t) dpsi/dv + psi = q,
    psi_out = psi_in exp(-t) + sum of A_p q_p,        A_p = (t / 2) int P_p(v) exp(-t (1 - v) / 2) dv,

and the moments M_p = (1 / 2) int P_p psi dv of what comes in are (-1)^p A_p / t psi_in by symmetry. Cells are
joined by the optical thickness between them, so that no sweep is needed.

Source: E. W. Larsen, W. F. Miller (1980), Nucl. Sci. Eng. 73, 76, for moments in slabs.
"""

import numpy as np

SHAPES = 3  # of each cell: constant, linear, parabola
_SMALL = 2.0  # optical thickness below which integrals are taken by quadrature, for recursions cancel there
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_TURNED = np.array([1.0, -1.0, 1.0])  # shapes seen from the other side


def slab_response(
    edges: np.ndarray, total: np.ndarray, inner: float, outer: float, directions: int, moments: int
) -> np.ndarray:
    """Return the fluxes of all moments, cells and shapes by such sources over total, one group.

    Args:
        edges: (cells + 1,) cm.
        total: (cells,) 1/cm.
        inner: part that comes back at the left face.
        outer: at the right face.
        directions: Gauss points of a hemisphere.
        moments: of direction: the order of scattering, plus one.

    Returns:
        (n, n) with n = moments times cells times 3, the shapes innermost.
    """
    cosines, weights = np.polynomial.legendre.leggauss(directions)
    cosines, weights = 0.5 * (cosines + 1.0), 0.5 * weights
    cells = len(total)
    depth = total * np.diff(edges)
    found = np.zeros((moments, cells * SHAPES, moments, cells * SHAPES))
    order = np.arange(moments)
    for mu, weight in zip(cosines, weights, strict=True):
        ahead, back = _both_ways(depth / mu, inner, outer)
        legendre = np.polynomial.legendre.legvander(np.array([mu]), moments - 1)[0]
        for flux, sign in ((ahead, 1.0), (back, -1.0)):
            of = legendre * sign**order
            for into in (0, 1):  # sources of directions of either sign: 2 l + 1 times P_l of their own
                born = (2 * order + 1) * legendre * (sign if into == 0 else -sign) ** order
                found += 0.5 * weight * np.einsum("i,j,ab->iajb", of, born, flux[into])
    return found.reshape(moments * cells * SHAPES, -1)


def _both_ways(depth: np.ndarray, inner: float, outer: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Fluxes along +x and along -x, each by sources of its own directions and of the other ones."""
    out, inside = cell_integrals(depth)
    between = np.concatenate([[0.0], np.cumsum(depth)])
    whole = float(np.exp(-between[-1]))
    enter = out * _TURNED / depth[:, None]  # moments of what comes in, along its way
    rising = _chain(between, out, enter, inside)
    falling = _mirrored(_chain(between[-1] - between[::-1], out[::-1], enter[::-1], inside[::-1]))
    right = (out * np.exp(between[1:] - between[-1])[:, None]).ravel()  # what leaves by sources ahead
    left = (out * _TURNED * np.exp(-between[:-1])[:, None]).ravel()
    seen_left = (enter * np.exp(-between[:-1])[:, None]).ravel()
    seen_right = (enter * _TURNED * np.exp(between[1:] - between[-1])[:, None]).ravel()
    again = 1.0 / (1.0 - inner * outer * whole**2)
    ahead = [
        rising + np.outer(seen_left, inner * outer * whole * again * right),
        np.outer(seen_left, inner * again * left),
    ]
    back = [
        falling + np.outer(seen_right, inner * outer * whole * again * left),
        np.outer(seen_right, outer * again * right),
    ]
    norm = np.tile(2.0 * np.arange(SHAPES) + 1.0, len(depth))[:, None]
    return [flux * norm for flux in ahead], [flux * norm for flux in back]


def _chain(between: np.ndarray, out: np.ndarray, enter: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Moments of every cell by the sources of every cell before it and of itself, along one way."""
    cells = len(out)
    gap = between[:-1, None] - between[None, 1:]
    reach = np.exp(-np.maximum(gap, 0.0)) * np.tri(cells, k=-1)
    found = enter[:, :, None, None] * reach[:, None, :, None] * out[None, None, :, :]
    found[np.arange(cells), :, np.arange(cells), :] += inside
    return found.reshape(cells * SHAPES, -1)


def _mirrored(flux: np.ndarray) -> np.ndarray:
    """The same with cells counted the other way, and shapes turned round."""
    cells = len(flux) // SHAPES
    shaped = flux.reshape(cells, SHAPES, cells, SHAPES)[::-1, :, ::-1]
    return (shaped * _TURNED[None, :, None, None] * _TURNED).reshape(flux.shape)


def cell_integrals(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what leaves a cell by each shape of source, and the moments inside by the same.

    Args:
        depth: (cells,) optical thickness along the direction.

    Returns:
        (cells, 3) A_p and (cells, 3, 3) of moments by source.

    Example:
        >>> out, inside = cell_integrals(np.array([1e-3, 1.0, 100.0]))
        >>> bool(np.allclose(out[:, 0], 1.0 - np.exp([-1e-3, -1.0, -100.0])))
        True
    """
    small = depth < _SMALL
    out, inside = _by_recursion(np.maximum(depth, _SMALL))
    if np.any(small):
        out[small], inside[small] = _by_quadrature(depth[small])
    return out, inside


def _by_recursion(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    drop = -np.expm1(-t)
    kept = 1.0 - drop
    # int P_p' psi is known from lower moments: A_p from what leaves by P_p, M_p from the balance of P_p
    first = (1.0 + kept) - 2.0 * drop / t
    out = np.stack([drop, first, drop - 6.0 / t * first], axis=1)
    inside = np.zeros((len(t), SHAPES, SHAPES))
    for j in range(SHAPES):
        lower = 0.0
        for i in range(SHAPES):
            source = 1.0 / (2 * i + 1) if i == j else 0.0
            # P_i' is P_0 for i = 1, 3 P_1 for i = 2
            inside[:, i, j] = source - out[:, j] / t + (0.0, 2.0, 6.0)[i] / t * lower
            lower = inside[:, i, j]
    return out, inside


def _by_quadrature(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shapes = np.polynomial.legendre.legvander(_NODES, SHAPES - 1)  # (nodes, shapes)
    fading = np.exp(-0.5 * t[:, None] * (1.0 - _NODES))
    out = 0.5 * t[:, None] * (fading * _WEIGHTS) @ shapes
    # psi(v) = (t / 2) int from -1 to v of q(v') exp(-t (v - v') / 2) dv'
    half = 0.5 * (_NODES + 1.0)
    within = -1.0 + half[:, None] * (_NODES + 1.0)[None, :]
    source = np.polynomial.legendre.legvander(within, SHAPES - 1)
    decay = np.exp(-0.5 * t[:, None, None] * (_NODES[:, None] - within)) * (half[:, None] * _WEIGHTS)
    flux = 0.5 * t[:, None, None] * np.einsum("cvw,vwp->cvp", decay, source)
    return out, 0.5 * np.einsum("v,vi,cvj->cij", _WEIGHTS, shapes, flux)
