"""A problem cut into its footprints, in the layout of the block engine."""

import numpy as np

from scalebridge.fusion.block_engine import BlockData, Rows, group_footprints
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.learning import Bias, Layout

_SAME_STEP = 1e-6  # days: dates that are stored as seconds


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
        patterns, problem.labels,
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
    lengths, kinds = np.unique(np.round(np.diff(days) / _SAME_STEP), return_inverse=True)
    steps = lengths * _SAME_STEP if len(lengths) else np.ones(1)
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
    return _sorted_by_block(array, problem.grid.shape, block)


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
    pixels = block[0] * block[1]
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
    """The rows of a footprint as means of its pixels, (rows, pixels)."""
    assert observed.factor is not None  # noqa: S101
    down, across = (
        np.kron(np.eye(b // f), np.full((1, f), 1.0 / f)) for b, f in zip(block, observed.factor, strict=True)
    )
    return np.kron(down, across)


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
    dates, pixels = len(problem.days), block[0] * block[1]
    shared, field = np.zeros((dates, sum(rows), len(names))), np.zeros((dates, pixels, len(names)))
    shared[..., 0] = field[..., 0] = 1.0
    for number, o in enumerate(problem.observed):
        own = slice(sum(rows[:number]), sum(rows[: number + 1]))
        if f"{o.name} bias" in names:
            shared[:, own, names.index(f"{o.name} bias")] = 1.0
        for t in np.flatnonzero(np.isfinite(o.values).any(axis=1)) if o.offset else ():
            shared[t, own, names.index(f"{o.name} offset {problem.date_text(t)}")] = 1.0
    if not problem.covariates:
        return shared, field
    whole = np.repeat(shared[None], len(chosen), axis=0)
    fields = np.repeat(field[None], len(chosen), axis=0)
    means = np.concatenate([_means(o, block) for o in problem.observed])
    for name, values in problem.covariates.items():
        sorted_values = _pixel_blocks(values, problem, block)[chosen]
        fields[..., names.index(name)] = sorted_values
        whole[..., names.index(name)] = sorted_values @ means.T
    return whole, fields
