"""Stokes flow among curved walls with slip: the variational cut-cell discretisation."""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import block_diag, coo_array, csr_array, dia_array, diags_array, eye_array, vstack

from scalebridge.grids.cut_operators import Entries, Fluxes, Strains, WallPieces, fluxes, strains, wall_pieces
from scalebridge.grids.cut_sites import Grid, SiteDistances
from scalebridge.grids.staggered import StaggeredSystem
from scalebridge.grids.walls import PoreGeometry

_DEPTH = 0.25
_SMOOTHNESS = 0.05
_SMALL = 0.25


def cut_system(geometry, shape, slip_length=0.0, *, gamma=_DEPTH, ghost=_SMOOTHNESS, small=_SMALL, normal=True, centroid=True):
    grid = Grid(tuple(shape), tuple((np.asarray(geometry.edges) / np.asarray(shape)).tolist()))
    dist = SiteDistances(geometry, grid)
    middle = dist.boxes(())
    st = strains(grid, dist, middle)
    fl = [fluxes(grid, dist, a) for a in range(grid.dim)]
    if not centroid:
        fl = [Fluxes(f.voxels, f.areas, csr_array((f.areas, (np.arange(f.voxels.size), a*grid.size+f.voxels)), shape=f.matrix.shape)) for a, f in enumerate(fl)]
    wp = wall_pieces(grid, dist, middle, st)
    B = st.matrix
    A = B.T @ diags_array(st.weights) @ B
    J, dim = wp.areas.size, grid.dim
    # depth
    fam = len(st.numbers)
    L = wp.areas
    M = wp.averages
    Lr = np.repeat(L, fam)
    q = 2 * (M.T @ Lr) / (st.shares * grid.voxel_volume)
    mx = np.zeros(J*fam)
    Mc = M.tocsr(); 
    qk = q[Mc.indices]
    ne = np.flatnonzero(np.diff(Mc.indptr))
    mx[ne] = np.maximum.reduceat(qk, Mc.indptr[ne])
    g = np.minimum(gamma*min(grid.spacing), 0.5/mx.reshape(J, fam).max(1))
    # traction
    fams = list(st.numbers)
    N = Entries((J*dim, J*fam))
    j = np.arange(J)
    for p, f in enumerate(fams):
        if len(f) == 1:
            N.add(j*dim+f[0], j*fam+p, 2*wp.normals[:, f[0]])
        else:
            a, b = f
            N.add(j*dim+a, j*fam+p, wp.normals[:, b]); N.add(j*dim+b, j*fam+p, wp.normals[:, a])
    sig = N.matrix() @ (M @ B)
    n = wp.normals
    P = Entries((J*dim, J*dim)); Q = Entries((J, J*dim))
    for a in range(dim):
        Q.add(j, j*dim+a, n[:, a])
        for b in range(dim):
            P.add(j*dim+a, j*dim+b, (a == b) - n[:, a]*n[:, b])
    P, Q = P.matrix(), Q.matrix()
    slip = np.broadcast_to(slip_length, (J,)) if not isinstance(slip_length, Mapping) else np.array([slip_length[k] for k in wp.labels])
    G = diags_array(np.repeat(g, dim))
    t = P @ (wp.velocity - G @ sig)
    Ps = P @ sig
    A = A - Ps.T @ diags_array(np.repeat(L*g, dim)) @ Ps + t.T @ diags_array(np.repeat(L/(slip+g), dim)) @ t
    S = t.T @ diags_array(np.repeat(L/(slip+g)**2, dim)) @ t
    if normal:
        gn = g/2
        nu = Q @ sig
        r = Q @ wp.velocity - diags_array(gn) @ nu
        A = A - nu.T @ diags_array(L*gn) @ nu + r.T @ diags_array(L/gn) @ r
    # active
    F = vstack([f.matrix for f in fl], format='csr')
    active = np.zeros(dim*grid.size, bool)
    for X in (F, A):
        active[np.unique(X.tocsr().indices)] = True
    # ghost penalty
    act = active.reshape(dim, -1)
    rows = []
    for d in range(dim):
        sh = dist.boxes((d,)).share
        for a in range(dim):
            i = np.flatnonzero(act[d])
            lo, hi = grid.neighbours(i, grid.step(a, -1)), grid.neighbours(i, grid.step(a, 1))
            ok = act[d][lo] & act[d][hi] & (np.minimum(np.minimum(sh[i], sh[lo]), sh[hi]) < 1) & (sh[i] >= np.minimum(sh[lo], sh[hi]))
            i, lo, hi = i[ok], lo[ok], hi[ok]
            E = Entries((i.size, dim*grid.size)); r = np.arange(i.size); h = grid.spacing[a]
            E.add(r, d*grid.size+i, -2/h); E.add(r, d*grid.size+lo, 1/h); E.add(r, d*grid.size+hi, 1/h)
            rows.append(E.matrix())
    R = vstack(rows, format='csr')
    A = csr_array(A + ghost*grid.voxel_volume*(R.T @ R))
    # divergence
    D = Entries((grid.size, F.shape[0])); c = 0
    for a, f in enumerate(fl):
        k = c+np.arange(f.voxels.size); D.add(f.voxels, k, 1.); D.add(grid.neighbours(f.voxels, grid.step(a)), k, -1.); c += k.size
    # merging
    share = middle.share
    parent = np.arange(grid.size)
    best = np.zeros(grid.size)
    for a, f in enumerate(fl):
        lo, hi = f.voxels, grid.neighbours(f.voxels, grid.step(a))
        for me, other in ((lo, hi), (hi, lo)):
            ok = (share[me] < small) & (share[other] > share[me]) & (f.areas > best[me])
            parent[me[ok]] = other[ok]; best[me[ok]] = f.areas[ok]
    while np.any(parent != parent[parent]): parent = parent[parent]
    agg = csr_array((np.ones(grid.size), (parent, np.arange(grid.size))), shape=(grid.size,)*2)
    D = csr_array(agg @ D.matrix() @ F)
    un = np.flatnonzero(active)
    cells = np.flatnonzero(abs(D).sum(axis=1) > 1e-12 * abs(D).sum(axis=1).max())
    loads = np.zeros((dim, dim*grid.size)); c = 0
    for a, f in enumerate(fl):
        loads[a] = f.matrix.T @ np.full(f.voxels.size, grid.spacing[a])
    vol = float(np.prod(geometry.edges))
    faces = tuple(un[(un >= d*grid.size) & (un < (d+1)*grid.size)] - d*grid.size for d in range(dim))
    return StaggeredSystem(grid.shape, grid.spacing, faces, cells, csr_array(A[un][:, un]), csr_array(D[cells][:, un]), loads[:, un], vol, csr_array(S[un][:, un])), share.mean(), L.sum()
