"""Trilinear fields on voxels by modes: strains at eight integration points and back, some voxels at once.

On a voxel a component is a sum of eight products of 1 or a coordinate along x, y and z. Seven sums and
differences of nodes are coefficients of all its derivatives: that by x at the places (y, z) of the points,
h = +-1/sqrt(3) of half an edge, is  gx (Dx +- h Dxy +- h Dxz +- h^2 Dxyz).  Sums and differences of the four
nodes in a plane are the same for the voxels on either side, so they are taken once; forces are gathered by
these modes too, and spread to the nodes once. The twelve modes of a plane are four a component: the sum over
the four nodes, the difference along y, along z, along both.

A plane of voxels is cut into strips of whole rows along z, so few that what fields and forces have on either
side of a strip stays in the nearer caches. Row stands behind row, each with one place more, where no voxel
is; the neighbour along y stands a stride further. Places are walked over in `Lanes` of 64 bytes, and what an
inner loop reads and writes begins where a line of the cache does. Helpers are inlined: their tuples are
registers. Nothing here is regrouped by the compiler.
"""

import numpy as np

from scalebridge.core.compiled import exact_kernel, inlined, row_kernel
from scalebridge.core.lanes import following, load, muladd, spread, store
from scalebridge.grids.plane_kernels import copy_run

ROOT = 1 / np.sqrt(3.0)


def strips(count_y: int, count_z: int, width: int, most: int) -> tuple[int, int]:
    """Return how many rows of voxels a strip has, and how many blocks of `width` places: the fewest in all.

    Args:
        count_y, count_z: voxels of the plane; behind each row stands one more place.
        width: voxels of a block.
        most: voxels of a strip, if it has more rows than one.

    Example:
        >>> strips(32, 32, 16, 1050), strips(64, 64, 8, 525), strips(1, 5, 16, 1050)
        ((16, 33), (8, 65), (1, 1))
    """
    least = -(-count_y // max(1, min(count_y, most // (count_z + 1))))
    found = []
    for count in range(least, min(2 * least, count_y) + 1):
        rows = -(-count_y // count)
        blocks = -(-rows * (count_z + 1) // width)
        found.append((-(-count_y // rows) * blocks, -rows, blocks))
    _, rows, blocks = min(found)
    return -rows, blocks


@exact_kernel
def pad_strip(planes, first, rows, nodes):
    """Copy a strip of nodes.

    Args:
        planes: (3, y, z) nodes.
        first, rows: of voxels; one row of nodes more is copied.
        nodes: (3, length), written: rows of nodes, each with its first one once more.
    """
    _, count_y, count_z = planes.shape
    length, given, flat = nodes.shape[1], planes.reshape(-1), nodes.reshape(-1)
    for c in range(3):
        for row in range(rows + 1):
            at, source = c * length + row * (count_z + 1), (c * count_y + (first + row) % count_y) * count_z
            copy_run(given, source, flat, at, count_z)
            flat[at + count_z] = given[source]


@inlined
def _component_modes(nodes, at, stride, modes, to, lanes):
    width = len(lanes)
    a, b = load(nodes, at, lanes), load(nodes, at + 1, lanes)
    d, e = load(nodes, at + stride, lanes), load(nodes, at + stride + 1, lanes)
    near, far, left, right = a + b, d + e, b - a, e - d
    m, y, z, yz = near + far, far - near, left + right, right - left
    before = (
        load(modes, to, lanes),
        load(modes, to + width, lanes),
        load(modes, to + 2 * width, lanes),
        load(modes, to + 3 * width, lanes),
    )
    store(modes, to, m)
    store(modes, to + width, y)
    store(modes, to + 2 * width, z)
    store(modes, to + 3 * width, yz)
    return before, (m, y, z, yz)


@inlined
def modes_of_block(nodes, length, at, stride, modes, to, lanes):
    """Replace the modes of some nodes by those of the nodes on the other side of the voxels; return both.

    Args:
        nodes: (3, length), flat, as `pad_strip` writes them.
        at: place of the first voxel.
        stride: of a row of nodes.
        modes: flat, twelve lanes from `to` on.
    """
    four = 4 * len(lanes)
    return (
        _component_modes(nodes, at, stride, modes, to, lanes),
        _component_modes(nodes, at + length, stride, modes, to + four, lanes),
        _component_modes(nodes, at + 2 * length, stride, modes, to + 2 * four, lanes),
    )


@row_kernel
def _add_run(source, at, target, to, count):
    first, second = np.uintp(at), np.uintp(to)
    for k in range(np.uintp(count)):
        target[second + k] += source[first + k]


@exact_kernel
def strip_of_modes(modes, before, first, rows, nodes, planes, lanes):
    """Write the forces on a strip of nodes; what a strip before has left at its first row is added to.

    Args:
        modes: (12, before + length), of voxels; zero before place `before` and behind the voxels.
        before: a row of nodes at least.
        first, rows: as of `pad_strip`.
        nodes: (3, length), room.
        planes: (3, y, z) forces.
    """
    _, count_y, count_z = planes.shape
    stride, width, length, room = count_z + 1, len(lanes), modes.shape[1], nodes.shape[1]
    flat, out, given = modes.reshape(-1), nodes.reshape(-1), planes.reshape(-1)
    eighth = spread(planes.dtype.type(0.125), lanes)
    for c in range(3):
        carried = spread(planes.dtype.type(0), lanes)
        for at in range(0, room, width):
            here = 4 * c * length + before + at
            low = here - stride
            m, y = load(flat, here, lanes), load(flat, here + length, lanes)
            z, yz = load(flat, here + 2 * length, lanes), load(flat, here + 3 * length, lanes)
            mm, yy = load(flat, low, lanes), load(flat, low + length, lanes)
            zz, yyzz = load(flat, low + 2 * length, lanes), load(flat, low + 3 * length, lanes)
            total, slope = (m - y) + (mm + yy), (z - yz) + (zz + yyzz)
            far = total + slope
            store(out, c * room + at, eighth * ((total - slope) + following(carried, far)))
            carried = far
        for row in range(rows + 1):
            at, target = c * room + row * stride, (c * count_y + (first + row) % count_y) * count_z
            out[at] += out[at + count_z]
            if (row == 0 and first > 0) or first + row == count_y:
                _add_run(out, at, given, target, count_z)
            else:
                copy_run(out, at, given, target, count_z)


@inlined
def weights(g, lanes):
    """Weights of the modes 1, of one coordinate and of two, by x, y and z, of inverse spacings."""
    one = g.dtype.type(0.25)
    two, three = g.dtype.type(0.25 * ROOT), g.dtype.type(0.25 / 3)
    return (
        (spread(one * g[0], lanes), spread(two * g[0], lanes), spread(three * g[0], lanes)),
        (spread(one * g[1], lanes), spread(two * g[1], lanes), spread(three * g[1], lanes)),
        (spread(one * g[2], lanes), spread(two * g[2], lanes), spread(three * g[2], lanes)),
    )


@inlined
def _component(sides):
    """Return Dx, Dy, Dz, Dxy, Dxz, Dyz, Dxyz of a component from its modes on either side of voxels."""
    low, high = sides
    m, y, z, yz = low
    n, yy, zz, yyzz = high
    return n - m, yy + y, zz + z, yy - y, zz - z, yyzz + yz, yyzz - yz


@inlined
def _normal(g, mean, d, first, second, both):
    """Values of a derivative at its four places, 2 first + second."""
    middle, slope = muladd(g[0], d, mean), g[1] * second
    far, near = muladd(g[1], first, middle), muladd(-g[1], first, middle)
    more, less = muladd(g[2], both, slope), muladd(-g[2], both, slope)
    return near - less, near + less, far - more, far + more


@inlined
def _shear(g, h, mean, a, a_other, a_third, a_both, b, b_other, b_third, b_both):
    """Values at the eight points of a doubled shear: derivatives by p of one component and by q of another.

    Args:
        g, h: weights of derivatives by p and by q.
        mean: mean doubled shear.
        a, a_other, a_third, a_both: modes p, p q, p r and p q r of the one, r being the third axis.
        b, b_other, b_third, b_both: modes q, q p, q r and q p r of the other.

    Returns:
        at the points 4 p + 2 q + r.
    """
    middle = muladd(g[0], a, muladd(h[0], b, mean))
    slope = muladd(g[1], a_third, h[1] * b_third)
    near, far = middle - slope, middle + slope
    q, p = g[1] * a_other, h[1] * b_other
    q0, q1 = muladd(-g[2], a_both, q), muladd(g[2], a_both, q)
    p0, p1 = muladd(-h[2], b_both, p), muladd(h[2], b_both, p)
    a0, a1, b0, b1 = near - q0, far - q1, near + q0, far + q1
    return a0 - p0, a1 - p1, b0 - p0, b1 - p1, a0 + p0, a1 + p1, b0 + p0, b1 + p1


@inlined
def strains_of_modes(modes, g, means):
    """Return strains at the points of some voxels.

    Args:
        modes: those of the nodes on either side, as `modes_of_block` returns them.
        g: as `weights` gives them.
        means: mean strains xx, yy, zz and doubled yz, xz, xy, lanes.

    Returns:
        xx at places (y, z), yy at (x, z), zz at (x, y), 2 first + second; doubled yz at the points
        4 y + 2 z + x, xz at 4 x + 2 z + y, xy at 4 x + 2 y + z.
    """
    x, y, z = g
    ux, uy, uz = _component(modes[0]), _component(modes[1]), _component(modes[2])
    xx = _normal(x, means[0], ux[0], ux[3], ux[4], ux[6])
    yy = _normal(y, means[1], uy[1], uy[3], uy[5], uy[6])
    zz = _normal(z, means[2], uz[2], uz[4], uz[5], uz[6])
    yz = _shear(y, z, means[3], uz[1], uz[5], uz[3], uz[6], uy[2], uy[5], uy[4], uy[6])
    xz = _shear(x, z, means[4], uz[0], uz[4], uz[3], uz[6], ux[2], ux[4], ux[5], ux[6])
    xy = _shear(x, y, means[5], uy[0], uy[3], uy[4], uy[6], ux[1], ux[3], ux[5], ux[6])
    return xx, yy, zz, yz, xz, xy


@inlined
def _normal_modes(s):
    """Sums of a stress's four places: of all, along the first and the second coordinate, along both."""
    near, far, first, second = s[0] + s[1], s[2] + s[3], s[1] - s[0], s[3] - s[2]
    return near + far, far - near, first + second, second - first


@inlined
def _shear_modes(s):
    """Sums of a shear stress's points 4 p + 2 q + r: of all, along p, q, r, q r and p r."""
    a0, a1, b0, b1 = s[0] + s[4], s[1] + s[5], s[2] + s[6], s[3] + s[7]
    c0, c1 = (s[4] - s[0]) + (s[6] - s[2]), (s[5] - s[1]) + (s[7] - s[3])
    near, far, first, second = a0 + a1, b0 + b1, a1 - a0, b1 - b0
    return near + far, c0 + c1, far - near, first + second, second - first, c1 - c0


@inlined
def _add(target, at, value, lanes):
    store(target, at, load(target, at, lanes) + value)


@inlined
def _keep(f, low, high, at, length, lanes):
    """Add a component's forces by modes to the nodes on the near side, and write those of the far side."""
    x, y, z, xy, xz, yz, xyz = f
    _add(low, at, -x, lanes)
    store(high, at, x)
    _add(low, at + length, y - xy, lanes)
    store(high, at + length, y + xy)
    _add(low, at + 2 * length, z - xz, lanes)
    store(high, at + 2 * length, z + xz)
    _add(low, at + 3 * length, yz - xyz, lanes)
    store(high, at + 3 * length, yz + xyz)


@inlined
def keep_forces(stresses, g, low, high, at, length, lanes):
    """Add the forces of stresses at the points of some voxels to the nodes on either side.

    Args:
        stresses: as `strains_of_modes` gives strains; normal ones summed over the two points of a place.
        g: as there.
        low, high: modes of forces (12, length), flat; low's are added to, high's written.
        at: place of the first voxel.
        length: of a mode.

    Returns:
        sums of the stresses xx, yy, zz, yz, xz, xy over the points.
    """
    x, y, z = g
    xx, yy, zz = _normal_modes(stresses[0]), _normal_modes(stresses[1]), _normal_modes(stresses[2])
    yz, xz, xy = _shear_modes(stresses[3]), _shear_modes(stresses[4]), _shear_modes(stresses[5])
    both = muladd(x[2], xx[3], muladd(y[2], xy[5], z[2] * xz[5]))
    first = muladd(x[1], xx[1], y[1] * xy[1])
    second = muladd(x[1], xx[2], z[1] * xz[1])
    third = muladd(y[1], xy[3], z[1] * xz[3])
    _keep(
        (x[0] * xx[0], y[0] * xy[0], z[0] * xz[0], first, second, third, both), low, high, at, length, lanes
    )
    both = muladd(y[2], yy[3], muladd(x[2], xy[4], z[2] * yz[5]))
    first = muladd(y[1], yy[1], x[1] * xy[2])
    second = muladd(x[1], xy[3], z[1] * yz[3])
    third = muladd(y[1], yy[2], z[1] * yz[1])
    _keep((x[0] * xy[0], y[0] * yy[0], z[0] * yz[0], first, second, third, both), low, high, at + 4 * length, length, lanes)  # fmt: skip  # noqa: E501
    both = muladd(z[2], zz[3], muladd(x[2], xz[4], y[2] * yz[4]))
    first = muladd(x[1], xz[3], y[1] * yz[3])
    second = muladd(z[1], zz[1], x[1] * xz[2])
    third = muladd(z[1], zz[2], y[1] * yz[2])
    _keep((x[0] * xz[0], y[0] * yz[0], z[0] * zz[0], first, second, third, both), low, high, at + 8 * length, length, lanes)  # fmt: skip  # noqa: E501
    return xx[0], yy[0], zz[0], yz[0], xz[0], xy[0]
