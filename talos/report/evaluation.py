"""Evaluations as tables and JSON."""

from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from talos import __version__
from talos.runtime.evaluate import Evaluation
from talos.runtime.metrics import Metrics

__all__ = ["evaluation_json", "evaluation_report"]

MATRIX_CLASSES = 20
"""A confusion matrix of more classes is not printed: it would not fit the terminal. The JSON has it."""

Variant = tuple[str, Metrics]


def evaluation_report(result: Evaluation) -> list[Table | Text]:
    """The metrics, those of every class, the confusion matrices, and how far Talos and onnxruntime agree.

    Variants whose predictions have the same metrics are shown once.
    """
    variants = _variants(result)
    parts: list[Table | Text] = [
        _summary(variants),
        Text("precision, recall and F1: means over the classes"),
        Text(),
        _by_class(variants),
        Text(),
    ]
    size = len(result.talos.classes)
    if size > MATRIX_CLASSES:
        parts += [Text(f"The confusion matrices of {size} classes are in the output of --json"), Text()]
    else:
        for names, metrics in _grouped(variants):
            title = f"Confusion matrix of {' = '.join(names)} (rows: label, columns: predicted)"
            parts += [Text(title), _confusion(metrics), Text()]
    equal = result.bytes - result.mismatched_bytes
    text = (
        f"Talos and onnxruntime int8 name the same class for {result.same_class:,} of {result.images:,} images "
        f"({result.agreement:.2%}); {equal:,} of {result.bytes:,} output bytes are equal"
    )
    return [*parts, Text(text)]


def evaluation_json(result: Evaluation, model: str) -> dict[str, Any]:
    """What `talos evaluate --json` writes; `model` is the file's name as given. Shares are of 1."""
    return {
        "model": model,
        "config": result.program.config.name,
        "config_hash": result.program.config.hash,
        "version": __version__,
        "data": result.source,
        "images": result.images,
        "float": None if result.float32 is None else asdict(result.float32),
        "onnxruntime": asdict(result.onnxruntime),
        "talos": asdict(result.talos),
        "agreement": {"top1": result.agreement, "bytes": result.bytes, "mismatched_bytes": result.mismatched_bytes},
    }


def _variants(result: Evaluation) -> list[Variant]:
    real = [("float", result.float32)] if result.float32 is not None else []
    return [*real, ("onnxruntime int8", result.onnxruntime), ("Talos", result.talos)]


def _table(*columns: str) -> Table:
    """A table whose first column is a name and the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    return table


def _summary(variants: list[Variant]) -> Table:
    table = _table("", "accuracy", "precision", "recall", "F1")
    for name, metrics in variants:
        table.add_row(name, *(f"{share:.2%}" for share in (metrics.accuracy, metrics.precision, metrics.recall, metrics.f1)))
    return table


def _by_class(variants: list[Variant]) -> Table:
    """One row per class; precision, recall and F1, for variants that differ side by side."""
    groups = _grouped(variants)
    names = [" = ".join(names).replace("onnxruntime ", "") if len(groups) > 1 else "" for names, _ in groups]
    table = _table("class", "images", *(f"{score}\n{name}".rstrip() for score in ("precision", "recall", "F1") for name in names))
    for scores in zip(*(metrics.classes for _, metrics in groups), strict=True):
        shares = [getattr(score, name) for name in ("precision", "recall", "f1") for score in scores]
        table.add_row(str(scores[0].label), f"{scores[0].images:,}", *(f"{share:.1%}" for share in shares))
    return table


def _grouped(variants: list[Variant]) -> list[tuple[list[str], Metrics]]:
    """Neighbouring variants that are equal in everything, under all their names."""
    groups: list[tuple[list[str], Metrics]] = []
    for name, metrics in variants:
        if groups and groups[-1][1] == metrics:
            groups[-1][0].append(name)
        else:
            groups.append(([name], metrics))
    return groups


def _confusion(metrics: Metrics) -> Table:
    labels = [str(scores.label) for scores in metrics.classes]
    table = _table("", *labels)
    for row, (label, counts) in enumerate(zip(labels, metrics.confusion, strict=True)):
        table.add_row(label, *(Text(str(count), "bold" if row == column else "") for column, count in enumerate(counts)))
    return table
