"""Compiled loops over the eight integration points of trilinear hexahedra, many voxels of a plane at a time.

The derivative of a trilinear field along an axis does not depend on the place along that axis. So of a
component three derivatives at four places each, twelve rows of numbers, make the gradients at all eight
points (two a direction, at +-1/sqrt(12) of the voxel's edge). The same twelve rows carry the forces back.

A plane of nodes (component, y, z) on a box that repeats along every axis is kept padded, as one row a
component: behind each row along z stands its first node once more, and behind the last row the first. So the
eight nodes of voxel k are k, k + 1, k + stride, k + stride + 1 of this plane and of the next, wherever a
stretch of voxels begins and ends, and no loop knows where a row of voxels does. Nothing that a loop has just
written is read one place further by the next, which would wait for it. The voxels that would stand between
the last node of a row and its repetition have no stress.

Fields are (x, component, y, z). The weight of a point is 1/8: a voxel counts as one, and the stiffness is
that of `grids/elastic_kernels.py`.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.core.vectors import copy_row

NEAR = 0.5 + 0.5 / np.sqrt(3.0)
FAR = 0.5 - 0.5 / np.sqrt(3.0)


def stretches(count_y: int, count_z: int, most: int) -> tuple[int, int]:
    """Return how many stretches a plane of voxels is cut into, and their length: a multiple of 16 numbers.

    Args:
        count_y, count_z: voxels of the plane; between its rows stands one more place.
        most: voxels of a stretch, so many that what is worked on stays in the nearest cache.

    Example:
        >>> stretches(32, 32, 96), stretches(16, 16, 96), stretches(1, 5, 96)
        ((11, 96), (3, 96), (1, 16))
    """
    places = count_y * (count_z + 1)
    count = -(-places // most)
    return count, -(-places // (16 * count)) * 16


@kernel
def plane_length(count_y, count_z, voxels):
    """Length of a padded plane, of which `voxels` places are walked over."""
    stride = count_z + 1
    return max((count_y + 1) * stride, voxels + stride + 1)


@row_kernel
def copy_run(source, at, target, to, count):
    """Copy a run between places of two arrays; places without a sign are not looked at for being negative."""
    first, second = np.uintp(at), np.uintp(to)
    for k in range(np.uintp(count)):
        target[second + k] = source[first + k]


@row_kernel
def _add_two(a, b, target):
    for k in range(target.size):
        target[k] = a[k] + b[k]


@row_kernel
def add_to(source, target):
    """Add a row to another."""
    for k in range(target.size):
        target[k] += source[k]


@kernel
def aligned_rows(count, length, like):
    """Return rows of zeros that begin where a line of the cache does, if their length is a multiple of 16."""
    line = 64 // like.itemsize
    room = np.zeros(count * length + line, like.dtype)
    start = line - (room.ctypes.data // like.itemsize) % line
    return room[start : start + count * length].reshape(count, length)


@kernel
def pad_planes(planes, padded):
    """Write planes (3, y, z) as padded ones (3, length)."""
    _, count_y, count_z = planes.shape
    for c in range(3):
        plane, target = planes[c], padded[c]
        for j in range(count_y):
            at = j * (count_z + 1)
            copy_row(plane[j], target[at : at + count_z])
            target[at + count_z] = plane[j, 0]
        at = count_y * (count_z + 1)
        copy_row(plane[0], target[at : at + count_z])
        target[at + count_z] = plane[0, 0]


@kernel
def unpad_planes(padded, planes):
    """Write padded planes of forces as planes (3, y, z): what stands at a repeated node is added to it."""
    _, count_y, count_z = planes.shape
    for c in range(3):
        plane, source = planes[c], padded[c]
        last = count_y * (count_z + 1)
        for j in range(count_y):
            at = j * (count_z + 1)
            first = source[at] + source[at + count_z]
            if j == 0:
                first += source[last] + source[last + count_z]
                _add_two(source[:count_z], source[last : last + count_z], plane[0])
            else:
                copy_row(source[at : at + count_z], plane[j])
            plane[j, 0] = first


@row_kernel
def _gradients(a0, a1, b0, b1, c0, c1, d0, d1, p, q, px, qx, py, qy, pz, qz, by_x, by_y, by_z, x00, x01, x10, x11, y00, y01, y10, y11, z00, z01, z10, z11):  # fmt: skip  # noqa: E501
    """Derivatives of a component at the places of the points.

    Args:
        a0, ..., d1: nodes: near; further in y; in x; in both; 0 near and 1 further in z.
        p, q: weights of the near and of the far node.
        px, ..., qz: the same over the spacings.
        by_x, by_y, by_z: mean derivatives.
        x00, ..., z11: written; derivatives by x at places (y, z), by y at (x, z), by z at (x, y).
    """
    for k in range(x00.size):
        a, b, c, d = (
            p * a0[k] + q * a1[k],
            p * b0[k] + q * b1[k],
            p * c0[k] + q * c1[k],
            p * d0[k] + q * d1[k],
        )
        near, far = c - a, d - b
        x00[k], x10[k] = px * near + (qx * far + by_x), qx * near + (px * far + by_x)
        near, far = b - a, d - c
        y00[k], y10[k] = py * near + (qy * far + by_y), qy * near + (py * far + by_y)
        a, b, c, d = (
            q * a0[k] + p * a1[k],
            q * b0[k] + p * b1[k],
            q * c0[k] + p * c1[k],
            q * d0[k] + p * d1[k],
        )
        near, far = c - a, d - b
        x01[k], x11[k] = px * near + (qx * far + by_x), qx * near + (px * far + by_x)
        near, far = b - a, d - c
        y01[k], y11[k] = py * near + (qy * far + by_y), qy * near + (py * far + by_y)
        a, b, c, d = a1[k] - a0[k], b1[k] - b0[k], c1[k] - c0[k], d1[k] - d0[k]
        near, far = p * a + q * b, p * c + q * d
        z00[k], z10[k] = pz * near + (qz * far + by_z), qz * near + (pz * far + by_z)
        near, far = q * a + p * b, q * c + p * d
        z01[k], z11[k] = pz * near + (qz * far + by_z), qz * near + (pz * far + by_z)


@kernel
def gradients_at(low, high, at, stride, g, mean, gradients):
    """Write the gradients of a stretch of voxels, (36, voxels): component, derivative, one of four places.

    Args:
        low, high: padded planes of nodes on either side, (3, length).
        at: place of the first voxel.
        stride: of a row of nodes.
        g: inverse spacings.
        mean: (9,), added to the gradients.
        gradients: written; places are (y, z) of derivatives by x, (x, z) by y, (x, y) by z, 2 first + last.
    """
    p, q = low.dtype.type(NEAR), low.dtype.type(FAR)
    to = at + gradients.shape[1]
    for c in range(3):
        a, b, d = 12 * c, 12 * c + 4, 12 * c + 8
        _gradients(low[c, at:to], low[c, at + 1 : to + 1], low[c, at + stride : to + stride], low[c, at + stride + 1 : to + stride + 1], high[c, at:to], high[c, at + 1 : to + 1], high[c, at + stride : to + stride], high[c, at + stride + 1 : to + stride + 1], p, q, p * g[0], q * g[0], p * g[1], q * g[1], p * g[2], q * g[2], mean[3 * c], mean[3 * c + 1], mean[3 * c + 2], gradients[a], gradients[a + 1], gradients[a + 2], gradients[a + 3], gradients[b], gradients[b + 1], gradients[b + 2], gradients[b + 3], gradients[d], gradients[d + 1], gradients[d + 2], gradients[d + 3])  # fmt: skip  # noqa: E501


@row_kernel
def _corners(x00, x01, x10, x11, y00, y01, y10, y11, z00, z01, z10, z11, p, q, px, qx, py, qy, pz, qz, a0, a1, b0, b1, c0, c1, d0, d1):  # fmt: skip  # noqa: E501
    """Forces on the eight nodes of every voxel: the transpose of `_gradients`."""
    for k in range(x00.size):
        x, xx = px * x00[k] + qx * x10[k], qx * x00[k] + px * x10[k]
        y, yy = py * y00[k] + qy * y10[k], qy * y00[k] + py * y10[k]
        a, b, c, d = -(x + y), y - xx, x - yy, xx + yy
        x, xx = px * x01[k] + qx * x11[k], qx * x01[k] + px * x11[k]
        y, yy = py * y01[k] + qy * y11[k], qy * y01[k] + py * y11[k]
        e, f, g, h = -(x + y), y - xx, x - yy, xx + yy
        z, zz = pz * z00[k] + qz * z10[k], pz * z01[k] + qz * z11[k]
        near, far = p * z + q * zz, q * z + p * zz
        a0[k], a1[k] = p * a + (q * e - near), q * a + (p * e + near)
        b0[k], b1[k] = p * b + (q * f - far), q * b + (p * f + far)
        z, zz = qz * z00[k] + pz * z10[k], qz * z01[k] + pz * z11[k]
        near, far = p * z + q * zz, q * z + p * zz
        c0[k], c1[k] = p * c + (q * g - near), q * c + (p * g + near)
        d0[k], d1[k] = p * d + (q * h - far), q * d + (p * h + far)


@kernel
def add_forces_at(duals, at, stride, g, room, low, high):
    """Add the forces of a stretch of voxels to the planes of nodes on either side.

    Args:
        duals: (36, voxels), sums of stresses over the points that share a place, as `gradients_at` has them.
        at, stride, g: as there.
        room: (8, voxels).
        low, high: padded planes of forces.
    """
    p, q, eighth = low.dtype.type(NEAR), low.dtype.type(FAR), low.dtype.type(0.125)
    to = at + duals.shape[1]
    near, far = eighth * p, eighth * q
    for c in range(3):
        a, b, d = 12 * c, 12 * c + 4, 12 * c + 8
        _corners(duals[a], duals[a + 1], duals[a + 2], duals[a + 3], duals[b], duals[b + 1], duals[b + 2], duals[b + 3], duals[d], duals[d + 1], duals[d + 2], duals[d + 3], p, q, near * g[0], far * g[0], near * g[1], far * g[1], near * g[2], far * g[2], room[0], room[1], room[2], room[3], room[4], room[5], room[6], room[7])  # fmt: skip  # noqa: E501
        # One loop a node: two nodes of a voxel are the same place of a plane for two voxels.
        for node in range(4):
            first = at + stride * (node // 2) + node % 2
            last = first + to - at
            add_to(room[node], low[c, first:last])
            add_to(room[4 + node], high[c, first:last])


@kernel
def clear_rows(rows):
    """Zero rows. Assigned as a whole it compiles a second longer."""
    for row in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[row, k] = 0
