"""Compiled loops of the staggered finite volumes: one pass over the voxels, no field stored in between.

Unknowns sit at the voxels' centres. Coefficients: a table with the diagonal of  A_ii / h_i²  in three
columns, and a row number for every voxel; mean gradients come times the spacings. `ends` says for each axis
what lies beyond its last voxel, in the codes of `grids/transforms.py`: 0 the first one (periodic), 1 a face
on which the unknown is zero, half a voxel away, 2 a face without flux.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel

_PERIODIC, _FIXED = 0, 1


@row_kernel
def _look_up(index, table, found):
    for z in range(index.size):
        found[z] = table[index[z]]


@row_kernel
def _face_flux(k_here, k_there, here, there, mean, tiny, flux):
    """Flux from each voxel of a row to its neighbour: 2 a b / (a + b) times the jump; 0 where either is 0."""
    for z in range(flux.size):
        a, b = k_here[z], k_there[z]
        flux[z] = (a + a) * (b / (a + b + tiny)) * (there[z] - here[z] + mean)


@row_kernel
def _end_flux(k, here, mean, twice, flux):
    """Flux through faces half a voxel away on which the unknown is zero; `twice` is -2 at a high end."""
    for z in range(flux.size):
        flux[z] = k[z] * (mean + twice * here[z])


@kernel
def _between(u, index, table, i, j, axis, mean, end, tiny, side, room, flux):
    """Flux through the faces along x or y of the row (i, j), on the high side (1) or the low one (-1).

    Returns:
        the weight of these faces in the mean flux: a half at a fixed end, nothing at a free one.
    """
    count = u.shape[axis]
    place = (i if axis == 0 else j) + side
    _look_up(index[i, j], table[:, axis], room[0])
    if (place < 0 or place == count) and end != _PERIODIC:
        if end == _FIXED:
            two = u.dtype.type(2)
            _end_flux(room[0], u[i, j], mean, -two if side > 0 else two, flux)
            return 0.5
        flux[:] = 0
        return 0.0
    place = (place + count) % count
    other = (place, j) if axis == 0 else (i, place)
    _look_up(index[other], table[:, axis], room[1])
    if side > 0:
        _face_flux(room[0], room[1], u[i, j], u[other], mean, tiny, flux)
    else:
        _face_flux(room[1], room[0], u[other], u[i, j], mean, tiny, flux)
    return 1.0


@kernel
def _along(here, index, table, mean, end, tiny, room, flux):
    """Flux through all faces along z of a row: flux[z] is that between z - 1 and z.

    Returns:
        its sum, faces at fixed ends counted half.
    """
    count = here.size
    k = room[0]
    _look_up(index, table[:, 2], k)
    _face_flux(k[: count - 1], k[1:], here[: count - 1], here[1:], mean, tiny, flux[1:count])
    total = _sum(flux[1:count])
    if end == _PERIODIC:
        a, b = k[count - 1], k[0]
        flux[0] = (a + a) * (b / (a + b + tiny)) * (here[0] - here[count - 1] + mean)
        flux[count] = flux[0]
        return total + flux[0]
    if end == _FIXED:
        flux[0] = k[0] * (mean + (here[0] + here[0]))
        flux[count] = k[count - 1] * (mean - (here[count - 1] + here[count - 1]))
        return total + (flux[0] + flux[count]) / 2
    flux[0] = 0
    flux[count] = 0
    return total


@row_kernel
def _sum(values):
    total = values.dtype.type(0)
    for z in range(values.size):
        total += values[z]
    return total


@row_kernel
def _balance(here, low_x, high_x, low_y, high_y, low_z, high_z, out):
    """What leaves each voxel of a row less what enters it, and its product with the unknown."""
    total = here.dtype.type(0)
    for z in range(out.size):
        rest = (low_x[z] - high_x[z]) + (low_y[z] - high_y[z]) + (low_z[z] - high_z[z])
        out[z] = rest
        total += here[z] * rest
    return total


@kernel
def forces(start, stop, piece, u, index, table, mean, ends, tiny, out):
    """Write K u (with a mean gradient) for the slab of voxels [start, stop) of the first axis.

    Returns:
        the product of u with the forces, and the sums of the flux over the faces, times the axis's spacing.
    """
    count_y, count_z = u.shape[1], u.shape[2]
    low_x, high_x = np.empty((count_y, count_z), u.dtype), np.empty(count_z, u.dtype)
    y, along = np.empty((2, count_z), u.dtype), np.empty(count_z + 1, u.dtype)
    room = np.empty((2, count_z), u.dtype)
    product, flux_x, flux_y, flux_z = 0.0, 0.0, 0.0, 0.0
    for j in range(count_y):
        part = _between(u, index, table, start, j, 0, mean[0], ends[0], tiny, -1, room, low_x[j])
        if start == 0 and ends[0] == _FIXED:
            flux_x += part * _sum(low_x[j])
    for i in range(start, stop):
        part = _between(u, index, table, i, 0, 1, mean[1], ends[1], tiny, -1, room, y[0])
        if ends[1] == _FIXED:
            flux_y += part * _sum(y[0])
        for j in range(count_y):
            low, high = y[j % 2], y[1 - j % 2]
            flux_z += _along(u[i, j], index[i, j], table, mean[2], ends[2], tiny, room, along)
            part = _between(u, index, table, i, j, 0, mean[0], ends[0], tiny, 1, room, high_x)
            flux_x += part * _sum(high_x)
            part = _between(u, index, table, i, j, 1, mean[1], ends[1], tiny, 1, room, high)
            flux_y += part * _sum(high)
            product += _balance(u[i, j], low_x[j], high_x, low, high, along[:count_z], along[1:], out[i, j])
            for z in range(count_z):
                low_x[j, z] = high_x[z]
    return product, flux_x, flux_y, flux_z


@kernel
def _face_slopes(a, b, row_a, row_b, axis, product, out):
    """Add d(energy)/d(coefficient) of a face between two voxels: 2 b²/(a+b)² and 2 a²/(a+b)²."""
    total = a + b
    if total > 0:
        out[row_a, axis] += 2 * (b / total) ** 2 * product
        out[row_b, axis] += 2 * (a / total) ** 2 * product


@kernel
def _jump(u, i, j, z, axis, mean):
    """Jump from a voxel to the next one along an axis, the first one following the last."""
    i1 = (i + 1) % u.shape[0] if axis == 0 else i
    j1 = (j + 1) % u.shape[1] if axis == 1 else j
    z1 = (z + 1) % u.shape[2] if axis == 2 else z
    return mean[axis] + u[i1, j1, z1] - u[i, j, z], (i1, j1, z1)


@kernel
def slopes(start, stop, piece, first, second, index, table, first_mean, second_mean, ends, out):
    """Add the derivatives of two fields' energy by the table's entries to out[piece], for a slab of voxels.

    The energy is homogeneous of degree one in the table, so it is the table times these.
    """
    shape = first.shape
    for i in range(start, stop):
        for j in range(shape[1]):
            for z in range(shape[2]):
                row = index[i, j, z]
                a, b = first[i, j, z], second[i, j, z]
                for axis in range(3):
                    place = (i, j, z)[axis]
                    last = place + 1 == shape[axis]
                    if not last or ends[axis] == _PERIODIC:
                        jump, there = _jump(first, i, j, z, axis, first_mean)
                        product = jump * _jump(second, i, j, z, axis, second_mean)[0]
                        other = index[there]
                        _face_slopes(
                            table[row, axis], table[other, axis], row, other, axis, product, out[piece]
                        )
                    if ends[axis] == _FIXED and last:  # half a voxel: half the energy of the mirror image's
                        out[piece, row, axis] += (
                            0.5 * (first_mean[axis] - 2 * a) * (second_mean[axis] - 2 * b)
                        )
                    if ends[axis] == _FIXED and place == 0:
                        out[piece, row, axis] += (
                            0.5 * (first_mean[axis] + 2 * a) * (second_mean[axis] + 2 * b)
                        )
