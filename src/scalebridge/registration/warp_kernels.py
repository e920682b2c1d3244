"""Compiled loops that sample an image or a volume with channels between its samples."""

import numpy as np

from scalebridge.core.compiled import kernel


@kernel
def sample_linear(start, stop, piece, places, image, ground, out):
    """Bilinear samples of (nx, ny, channels) at places (n, 2); the ground's value beyond the image's edge."""
    rows, columns, channels = image.shape
    for i in range(start, stop):
        x, y = places[i, 0], places[i, 1]
        if not (x >= -0.5 and y >= -0.5 and x <= rows - 0.5 and y <= columns - 0.5):
            for c in range(channels):
                out[i, c] = ground[c]
            continue
        x, y = min(max(x, 0.0), rows - 1.0), min(max(y, 0.0), columns - 1.0)
        j, k = min(int(x), max(rows - 2, 0)), min(int(y), max(columns - 2, 0))
        jj, kk = min(j + 1, rows - 1), min(k + 1, columns - 1)
        fx, fy = x - j, y - k
        for c in range(channels):
            low = image[j, k, c] + fy * (float(image[j, kk, c]) - image[j, k, c])
            high = image[jj, k, c] + fy * (float(image[jj, kk, c]) - image[jj, k, c])
            out[i, c] = low + fx * (high - low)


@kernel
def sample_nearest(start, stop, piece, places, image, ground, out):
    """Nearest samples, for labels."""
    rows, columns, channels = image.shape
    for i in range(start, stop):
        j, k = int(np.floor(places[i, 0] + 0.5)), int(np.floor(places[i, 1] + 0.5))
        inside = 0 <= j < rows and 0 <= k < columns
        for c in range(channels):
            out[i, c] = image[j, k, c] if inside else ground[c]


@kernel
def sample_linear_volume(start, stop, piece, places, image, ground, out):
    """Trilinear samples of (nx, ny, nz, channels) at places (n, 3); the ground's value beyond the edge."""
    nx, ny, nz, channels = image.shape
    for i in range(start, stop):
        x, y, z = places[i, 0], places[i, 1], places[i, 2]
        inside = x >= -0.5 and y >= -0.5 and z >= -0.5
        if not (inside and x <= nx - 0.5 and y <= ny - 0.5 and z <= nz - 0.5):
            for c in range(channels):
                out[i, c] = ground[c]
            continue
        x, y, z = min(max(x, 0.0), nx - 1.0), min(max(y, 0.0), ny - 1.0), min(max(z, 0.0), nz - 1.0)
        j, k, m = min(int(x), max(nx - 2, 0)), min(int(y), max(ny - 2, 0)), min(int(z), max(nz - 2, 0))
        jj, kk, mm = min(j + 1, nx - 1), min(k + 1, ny - 1), min(m + 1, nz - 1)
        fx, fy, fz = x - j, y - k, z - m
        for c in range(channels):
            total = 0.0
            for a, wx in ((j, 1.0 - fx), (jj, fx)):
                for b, wy in ((k, 1.0 - fy), (kk, fy)):
                    total += wx * wy * ((1.0 - fz) * image[a, b, m, c] + fz * image[a, b, mm, c])
            out[i, c] = total


@kernel
def sample_nearest_volume(start, stop, piece, places, image, ground, out):
    """Nearest samples of a volume, for labels of an atlas."""
    nx, ny, nz, channels = image.shape
    for i in range(start, stop):
        j, k = int(np.floor(places[i, 0] + 0.5)), int(np.floor(places[i, 1] + 0.5))
        m = int(np.floor(places[i, 2] + 0.5))
        inside = 0 <= j < nx and 0 <= k < ny and 0 <= m < nz
        for c in range(channels):
            out[i, c] = image[j, k, m, c] if inside else ground[c]
