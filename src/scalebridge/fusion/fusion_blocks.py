"""A problem cut into its footprints, in the layout of the block engine."""

import numpy as np

from scalebridge.fusion.block_engine import BlockData, Rows, group_footprints
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.learning import Bias, Layout
from scalebridge.fusion.sensors import SAME_DATE


def cut_blocks(
    problem: Problem, block: tuple[int, int], members: np.ndarray | None = None
) -> tuple[Layout, BlockData]:
    """Return the layout and the data of some footprints.

    Args:
        problem: the problem; its footprints partition the grid.
        block: pixels of a footprint along rows and columns.
        members: numbers of the footprints that are wanted; all unless given.
    """
    count = (problem.grid.shape[0] // block[0]) * (problem.grid.shape[1] // block[1])
    chosen = np.arange(count) if members is None else members
    values = np.concatenate(
        [in_blocks(o.values, o, problem, block)[chosen] for o in problem.observed], axis=2
    )
    scale = np.concatenate(
        [in_blocks(o.noise_scale, o, problem, block)[chosen] for o in problem.observed], axis=2
    )
    rows = [_rows_in(o, block) for o in problem.observed]
    sensor = np.repeat(np.arange(len(rows)), rows)
    steps, step = step_classes(problem.days)
    patterns, kinds = np.unique(
        _pixel_blocks(problem.classes[None], problem, block)[chosen, 0], axis=0, return_inverse=True
    )
    biases = tuple(
        Bias(number, o.bias, rows[number]) for number, o in enumerate(problem.observed) if o.bias != "none"
    )
    layout = Layout(
        problem.model, problem.parameters, pixel_distance(block, problem), steps,
        tuple(o.name for o in problem.observed), biases, tuple(prior for _, prior in problem.coefficients),
        patterns, problem.labels, problem.band_names,
    )  # fmt: skip
    observe, fields = _observation(problem, layout, block, rows)
    columns, own = _columns(problem, block, rows, chosen)
    groups = group_footprints(np.isfinite(values), scale, kinds.ravel(), columns.ndim == 4)
    return layout, BlockData(values, columns, sensor, observe, fields, own, step, groups)


def step_classes(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of steps between dates that there are, and the class of each date's step.

    Example:
        >>> step_classes(np.array([0.0, 1.0, 3.0, 4.0]))[1].tolist()
        [-1, 0, 1, 0]
    """
    lengths, kinds = np.unique(np.round(np.diff(days) / SAME_DATE), return_inverse=True)
    steps = lengths * SAME_DATE if len(lengths) else np.ones(1)
    return steps, np.concatenate([[-1], kinds]).astype(np.int64)


def pixel_distance(block: tuple[int, int], problem: Problem) -> np.ndarray:
    """Return the distances of the pixels of a footprint, (pixels, pixels)."""
    rows, columns = np.meshgrid(*(np.arange(n) for n in block), indexing="ij")
    at = np.stack([rows.ravel(), columns.ravel()], axis=1) @ problem.grid.affine[:, :2].T
    return np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))


def in_blocks(array: np.ndarray, observed: Observed, problem: Problem, block: tuple[int, int]) -> np.ndarray:
    """Sort (dates, rows) of a nested sensor by footprint: (footprints, dates, rows of a footprint)."""
    assert observed.factor is not None  # noqa: S101
    shape = tuple(n // f for n, f in zip(problem.grid.shape, observed.factor, strict=True))
    inner = tuple(b // f for b, f in zip(block, observed.factor, strict=True))
    return _sorted_by_block(array, shape, inner)


def _sorted_by_block(array: np.ndarray, shape: tuple[int, ...], inner: tuple[int, ...]) -> np.ndarray:
    down, across = shape[0] // inner[0], shape[1] // inner[1]
    split = array.reshape(len(array), down, inner[0], across, inner[1])
    return split.transpose(1, 3, 0, 2, 4).reshape(down * across, len(array), inner[0] * inner[1])


def _pixel_blocks(array: np.ndarray, problem: Problem, block: tuple[int, int]) -> np.ndarray:
    """Sort (dates, pixels), band after band, by footprint."""
    bands = np.split(array, max(len(problem.bands), 1), axis=1)
    return np.concatenate([_sorted_by_block(band, problem.grid.shape, block) for band in bands], axis=2)


def field_of_blocks(array: np.ndarray, problem: Problem, block: tuple[int, int]) -> np.ndarray:
    """Put (footprints, dates, pixels) of a field back: (dates, rows, columns), or with bands second."""
    bands = np.split(array, max(len(problem.bands), 1), axis=2)
    whole = [out_of_blocks(band, problem.grid.shape, block) for band in bands]
    return np.stack(whole, axis=1) if problem.bands else whole[0]


def out_of_blocks(array: np.ndarray, shape: tuple[int, int], inner: tuple[int, int]) -> np.ndarray:
    """Put (footprints, dates, rows of a footprint) back: (dates, rows, columns).

    Args:
        array: sorted by footprint.
        shape: rows and columns of the whole.
        inner: rows and columns of a footprint.

    Example:
        >>> whole = np.arange(8.0).reshape(1, 8)
        >>> out_of_blocks(_sorted_by_block(whole, (2, 4), (2, 2)), (2, 4), (2, 2))[0].tolist()
        [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
    """
    down, across, dates = shape[0] // inner[0], shape[1] // inner[1], array.shape[1]
    split = array.reshape(down, across, dates, *inner).transpose(2, 0, 3, 1, 4)
    return split.reshape(dates, *shape)


def _rows_in(observed: Observed, block: tuple[int, int]) -> int:
    assert observed.factor is not None  # noqa: S101
    return (block[0] // observed.factor[0]) * (block[1] // observed.factor[1])


def _observation(
    problem: Problem, layout: Layout, block: tuple[int, int], rows: list[int]
) -> tuple[Rows, Rows]:
    """What each row sees of the state: the first layer of every part, and its bias."""
    pixels = layout.pixels
    first = np.concatenate([[0], np.cumsum([pixels * order for order in problem.model.orders])])
    states = int(first[-1]) + sum(b.rows for b in layout.biases)
    field = np.zeros((pixels, states))
    for place in first[:-1]:
        field[np.arange(pixels), place + np.arange(pixels)] = 1.0
    seen, bias = [], int(first[-1])
    for number, o in enumerate(problem.observed):
        means = _means(o, block) @ field
        if any(b.sensor == number for b in layout.biases):
            means[np.arange(rows[number]), bias + np.arange(rows[number])] = 1.0
            bias += rows[number]
        seen.append(means)
    return sparse_rows(np.concatenate(seen)), sparse_rows(field)


def _means(observed: Observed, block: tuple[int, int]) -> np.ndarray:
    """The rows of a footprint as means of its pixels, (rows, pixels of all bands)."""
    assert observed.factor is not None  # noqa: S101
    down, across = (
        np.kron(np.eye(b // f), np.full((1, f), 1.0 / f)) for b, f in zip(block, observed.factor, strict=True)
    )
    return np.kron(np.array(observed.response)[None], np.kron(down, across))


def sparse_rows(dense: np.ndarray) -> Rows:
    """Return a matrix by rows, for the kernels.

    Example:
        >>> sparse_rows(np.array([[0.0, 2.0], [1.0, 0.0]])).index.tolist()
        [1, 0]
    """
    rows, columns = np.nonzero(dense)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    return Rows(pointer, columns, dense[rows, columns])


def _columns(
    problem: Problem, block: tuple[int, int], rows: list[int], chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the regressors of all rows and of the field: shared, or by footprint with covariates."""
    names = [name for name, _ in problem.coefficients]
    means = np.concatenate([_means(o, block) for o in problem.observed])
    fields = field_regressors(problem, block, chosen if problem.covariates else chosen[:1])
    whole = means @ fields
    for number, o in enumerate(problem.observed):
        own = slice(sum(rows[:number]), sum(rows[: number + 1]))
        if f"{o.name} bias" in names:
            whole[:, :, own, names.index(f"{o.name} bias")] += 1.0
        for t in np.flatnonzero(np.isfinite(o.values).any(axis=1)) if o.offset else ():
            whole[:, t, own, names.index(f"{o.name} offset {problem.date_text(t)}")] += 1.0
    return (whole, fields) if problem.covariates else (whole[0], fields[0])


def field_regressors(problem: Problem, block: tuple[int, int], chosen: np.ndarray) -> np.ndarray:
    """Return what the field has of each coefficient.

    Args:
        problem: the problem.
        block: pixels of a footprint.
        chosen: numbers of the footprints that are wanted.

    Returns:
        (footprints, dates, pixels of all bands, coefficients).
    """
    names = [name for name, _ in problem.coefficients]
    bands = [f" {name}" for name in problem.band_names] or [""]
    shape = (len(chosen), len(problem.days), len(bands), block[0] * block[1], len(names))
    whole = np.zeros(shape)
    for place, band in enumerate(bands):
        whole[:, :, place, :, names.index(f"mean{band}")] = 1.0
        for name, z in problem.covariates.items():
            own = _sorted_by_block(z, problem.grid.shape, block)[chosen]
            whole[:, :, place, :, names.index(f"{name}{band}")] = own
    return whole.reshape(*shape[:2], -1, len(names))


def block_order(shape: tuple[int, int], block: tuple[int, int]) -> np.ndarray:
    """Return the pixels, footprint by footprint.

    Example:
        >>> block_order((2, 4), (2, 2)).tolist()
        [0, 1, 4, 5, 2, 3, 6, 7]
    """
    number = np.arange(shape[0] * shape[1]).reshape(
        shape[0] // block[0], block[0], shape[1] // block[1], block[1]
    )
    return number.transpose(0, 2, 1, 3).ravel()
