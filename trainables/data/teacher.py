"""Gaussian inputs, labeled by a random network.

Axis letters: N samples, F features, C classes.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from search_spaces.sections.data import Teacher
from trainables.data.dataset import Dataset

CHUNK_NUMBERS = 2**24  # numbers of a hidden layer at a time: 128 MB


def load_teacher(spec: Teacher) -> Dataset:
    """Return inputs x ~ N(0, I), float32 (N, F); the label is the largest output of a random ReLU network.

    The teacher has weights from N(0, 2/fan_in) and no biases. Training inputs, test inputs, teacher and noise have
    separate streams of random numbers, so that sets of different sizes begin with the same samples.
    """
    train_rng, test_rng, teacher_rng, noise_rng = (np.random.default_rng([spec.seed, i]) for i in range(4))
    widths = [spec.inputs] + [spec.width] * spec.depth + [spec.classes]
    weights = [
        teacher_rng.standard_normal((fan_in, fan_out)) * math.sqrt(2 / fan_in) for fan_in, fan_out in pairwise(widths)
    ]
    x_train = train_rng.standard_normal((spec.train, spec.inputs), dtype=np.float32)
    x_test = test_rng.standard_normal((spec.test, spec.inputs), dtype=np.float32)
    y_train = _replaced(_labels(x_train, weights), spec.noise, spec.classes, noise_rng)
    return Dataset.from_tensors(x_train, y_train, x_test, _labels(x_test, weights), spec.classes)


def _labels(x: NDArray[np.float32], weights: list[NDArray[np.float64]]) -> NDArray[np.int64]:
    """Return the labels (N,), computed in float64 so that the order of a machine's sums decides no label."""
    rows = max(1, CHUNK_NUMBERS // max(w.shape[1] for w in weights))
    return np.concatenate([_outputs(x[i : i + rows], weights).argmax(1) for i in range(0, len(x), rows)])


def _outputs(x: NDArray[np.float32], weights: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    hidden = x.astype(np.float64)
    for w in weights[:-1]:
        hidden = np.maximum(hidden @ w, 0)
    return hidden @ weights[-1]


def _replaced(labels: NDArray[np.int64], share: float, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Replace exactly that share of the labels by uniform ones, which may by chance be the right ones."""
    noisy = labels.copy()
    chosen = rng.permutation(len(labels))[: round(share * len(labels))]
    noisy[chosen] = rng.integers(classes, size=len(chosen))
    return noisy
