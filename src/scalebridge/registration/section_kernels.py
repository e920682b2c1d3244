"""Compiled loop that compares many poses of a section in a volume at once."""

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.registration.similarity_kernels import fill_histogram, sample_volume


@kernel
def fill_histograms(start, stop, piece, poses, points, fixed, fixed_weights, image, mask, histograms):
    """Joint histogram of every pose, (poses, bins, bins).

    Poses (n, 3, 3) are two columns and a shift that take points (m, 2) to samples of the volume.
    """
    count = len(points)
    places = np.empty((count, 3))
    values, weights = np.empty(count, np.float32), np.empty(count, np.float32)
    slopes, weight_slopes = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    for k in range(start, stop):
        for i in range(count):
            for axis in range(3):
                row = poses[k, axis]
                places[i, axis] = row[0] * points[i, 0] + row[1] * points[i, 1] + row[2]
        sample_volume(0, count, 0, places, image, mask, values, weights, slopes, weight_slopes)
        fill_histogram(0, count, 0, fixed, fixed_weights, values, weights, histograms[k : k + 1])
