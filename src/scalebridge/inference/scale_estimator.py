"""The choice of scales as an estimator with `fit` and `predict`, as scikit-learn has them."""

import warnings
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.inference.scale_bases import ScaleBasis
from scalebridge.inference.scale_choices import make_choices, predictive_path
from scalebridge.inference.scale_criteria import CRITERIA, make_folds, validate
from scalebridge.inference.scale_search import search_subsets
from scalebridge.io.stored import nearest, need

_FEWEST = 3


class ScaleRegressor:
    """Linear regression on the groups of columns that a criterion chooses.

    It keeps to scikit-learn's conventions without needing it, so that pipelines and grid searches take it.

    Args:
        groups: group of each column, a name or number each; None for each column by itself.
        criterion: "bic", "aic", "aicc", "ebic", "loo", "k-fold" or "one-standard-error".
        most: largest share of the values that coefficients may be.
        gamma: of EBIC.
        folds: of cross-validation.
        seed: of the folds.

    Attributes:
        coef_: coefficients, (columns,); zeros for groups that are not chosen.
        intercept_: the constant.
        support_: which columns are chosen, (columns,).
        selected_: the chosen groups.
        n_features_in_: number of columns.

    Raises:
        InputError: the criterion is unknown, or groups do not fit the columns.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((50, 4))
        >>> ScaleRegressor().fit(X, 2 * X[:, 1] + 0.1 * rng.standard_normal(50)).selected_
        [1]
    """

    _parameters = ("groups", "criterion", "most", "gamma", "folds", "seed")
    _estimator_type = "regressor"

    def __init__(
        self,
        groups: Any = None,
        criterion: str = "bic",
        most: float = 2 / 3,
        gamma: float = 1.0,
        folds: int = 5,
        seed: int = 0,
    ):
        self.groups, self.criterion, self.most = groups, criterion, most
        self.gamma, self.folds, self.seed = gamma, folds, seed

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments by name."""
        return {name: getattr(self, name) for name in self._parameters}

    def set_params(self, **given: Any) -> "ScaleRegressor":
        """Set arguments by name."""
        for name, value in given.items():
            if name not in self._parameters:
                raise InputError(
                    "set_params",
                    got=repr(name),
                    wanted=f"one of {', '.join(self._parameters)}",
                    cure=nearest(name, self._parameters),
                )
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: Any) -> "ScaleRegressor":
        """Choose groups and fit their coefficients.

        Args:
            X: columns, (n, columns).
            y: values, (n,).

        Raises:
            InputError: shapes that do not fit, numbers that are not finite, an unknown criterion.
        """
        if self.criterion not in CRITERIA:
            raise InputError(
                "criterion",
                got=repr(self.criterion),
                wanted=", ".join(CRITERIA),
                cure=nearest(str(self.criterion), CRITERIA),
            )
        columns, names = _columns(X)
        values = _target(y, len(columns))
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.n_features_in_ = columns.shape[1]
        labels, owner = self._owners(columns.shape[1])
        order = np.argsort(owner, kind="stable")
        mask = self._choose(columns[:, order], owner[order], labels, values)
        self.support_ = mask[owner]
        self.selected_ = [label for label, inside in zip(labels, mask, strict=True) if inside]
        self.coef_ = np.zeros(columns.shape[1])
        centre = columns.mean(axis=0)
        if np.any(self.support_):
            used = (columns - centre)[:, self.support_]
            self.coef_[self.support_] = np.linalg.lstsq(used, values - values.mean(), rcond=None)[0]
        self.intercept_ = float(values.mean() - centre @ self.coef_)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return what the chosen groups predict, (n,)."""
        if not hasattr(self, "coef_"):
            raise _not_fitted()
        columns, names = _columns(X)
        known = getattr(self, "feature_names_in_", None)
        if names is not None and known is not None and list(names) != list(known):
            raise ValueError(_renamed(list(names), list(known)))
        if columns.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {columns.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return columns @ self.coef_ + self.intercept_

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the variance that is predicted."""
        values = np.asarray(y, float)
        weights = np.ones(len(values)) if sample_weight is None else np.asarray(sample_weight, float)
        left = np.sum(weights * (values - self.predict(X)) ** 2)
        return float(1.0 - left / np.sum(weights * (values - np.average(values, weights=weights)) ** 2))

    def _owners(self, count: int) -> tuple[list[Any], np.ndarray]:
        groups = list(range(count)) if self.groups is None else list(self.groups)
        if len(groups) != count:
            raise InputError(
                "groups", got=f"{len(groups)} of them", wanted=f"one a column, {count}", cure="pass one each"
            )
        labels = list(dict.fromkeys(groups))
        return labels, np.array([labels.index(group) for group in groups])

    def _choose(
        self, columns: np.ndarray, owner: np.ndarray, labels: list[Any], values: np.ndarray
    ) -> np.ndarray:
        """Return which groups the criterion chooses; a column that is constant is never worth its price."""
        count, names = len(values), tuple(map(str, labels))
        if count < _FEWEST or np.ptp(values) == 0:
            return np.zeros(len(labels), bool)
        basis = ScaleBasis(names, columns - columns.mean(axis=0), owner, orthonormal=False)
        subsets = search_subsets(basis, values)
        path = predictive_path(subsets, count, self.most)
        validation = None
        if self.criterion in ("loo", "k-fold", "one-standard-error"):
            rng = np.random.default_rng(self.seed)
            folds = make_folds(count, min(self.folds, count), 1, False, rng)
            validation = validate(basis, values, subsets.masks[path], folds)
        found = make_choices(
            names, type(subsets)(**{**vars(subsets), "path": path}), validation, count, self.most, self.gamma
        )
        return found[self.criterion].mask

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags; only scikit-learn asks for them."""
        tags = need("sklearn.utils", extra="sklearn", purpose="scikit-learn's tags")
        return tags.Tags(
            estimator_type="regressor",
            target_tags=tags.TargetTags(required=True),
            regressor_tags=tags.RegressorTags(),
            input_tags=tags.InputTags(),
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._parameters)
        return f"{type(self).__name__}({shown})"


def _columns(X: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return columns as numbers, and their names if it is a table of a data frame."""
    if hasattr(X, "toarray"):
        raise TypeError("Sparse data was passed for X, but dense data is required.")
    names = None
    if hasattr(X, "columns") and all(isinstance(name, str) for name in X.columns):
        names = np.asarray(X.columns, dtype=object)
    found = np.asarray(X)
    if np.iscomplexobj(found):
        raise ValueError("Complex data not supported: pass real numbers.")
    found = found.astype(float)
    if found.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {found.ndim}D array instead. Reshape your data: X.reshape(-1, 1) of one "
            "column, X.reshape(1, -1) of one row."
        )
    for axis, what in enumerate(("sample(s)", "feature(s)")):
        if found.shape[axis] == 0:
            raise ValueError(
                f"Found array with 0 {what} (shape={found.shape}) while a minimum of 1 is required."
            )
    if not np.all(np.isfinite(found)):
        raise ValueError("Input X contains NaN or infinity: leave out what is missing.")
    return found, names


def _target(y: Any, count: int) -> np.ndarray:
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    found = np.asarray(y)
    if np.iscomplexobj(found):
        raise ValueError("Complex data not supported: pass real numbers.")
    found = found.astype(float)
    if found.ndim == 2 and found.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected.", _conversion(), stacklevel=3
        )
        found = found[:, 0]
    if found.ndim != 1 or len(found) != count:
        raise ValueError(f"y has shape {found.shape}, where ({count},) is wanted")
    if count < 2:
        raise ValueError(f"Found array with 1 sample(s) while a minimum of 2 is required: {count} sample.")
    if not np.all(np.isfinite(found)):
        raise ValueError("Input y contains NaN or infinity: leave out what is missing.")
    return found


def _conversion() -> type[Warning]:
    try:
        return need("sklearn.exceptions", extra="sklearn", purpose="its warnings").DataConversionWarning
    except ImportError:
        return UserWarning


def _not_fitted() -> Exception:
    said = "This ScaleRegressor instance is not fitted yet. Call 'fit' before 'predict'."
    try:
        return need("sklearn.exceptions", extra="sklearn", purpose="its errors").NotFittedError(said)
    except ImportError:
        return AttributeError(said)


def _renamed(got: list[str], known: list[str]) -> str:
    said = "The feature names should match those that were passed during fit.\n"
    unseen, lost = sorted(set(got) - set(known)), sorted(set(known) - set(got))
    if unseen:
        said += "Feature names unseen at fit time:\n" + "".join(f"- {name}\n" for name in unseen[:5])
    if lost:
        said += "Feature names seen at fit time, yet now missing:\n" + "".join(
            f"- {name}\n" for name in lost[:5]
        )
    if not unseen and not lost:
        said += "Feature names must be in the same order as they were in fit.\n"
    return said
