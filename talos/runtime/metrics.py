"""Accuracy, precision, recall, F1 and confusion matrix of predicted classes, by scikit-learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError

__all__ = ["ClassScores", "Metrics", "measure", "require_scikit_learn"]


@dataclass(frozen=True)
class ClassScores:
    """One class: `images` with this label; precision, recall and F1 as shares of 1 (0 where they have no images to divide by)."""

    label: int
    images: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Metrics:
    """Shares of 1; precision, recall and F1 are means over the classes (macro average), each class counting the same.

    `confusion[i][j]` is the number of images of class `classes[i].label` that were taken for class `classes[j].label`.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    classes: list[ClassScores]
    confusion: list[list[int]]


def require_scikit_learn() -> None:
    """Raise TalosError with what to install if scikit-learn is missing: found out before the work, not after it."""
    if find_spec("sklearn") is None:
        raise TalosError("scikit-learn, which computes the metrics, is not installed; pip install 'talos-accelerator[evaluate]'")


def measure(labels: NDArray[np.int64], predicted: Sequence[int], classes: Sequence[int]) -> Metrics:
    """The metrics of `predicted` against `labels`; `classes` are those to report, in this order. Raises TalosError without scikit-learn."""
    require_scikit_learn()
    from sklearn import metrics

    names = list(classes)
    precision, recall, f1, images = metrics.precision_recall_fscore_support(labels, predicted, labels=names, zero_division=0.0)
    scores = [
        ClassScores(int(name), int(count), float(p), float(r), float(f))
        for name, count, p, r, f in zip(names, images, precision, recall, f1, strict=True)
    ]
    return Metrics(
        accuracy=float(metrics.accuracy_score(labels, predicted)),
        precision=float(np.mean(precision)),
        recall=float(np.mean(recall)),
        f1=float(np.mean(f1)),
        classes=scores,
        confusion=metrics.confusion_matrix(labels, predicted, labels=names).tolist(),
    )
