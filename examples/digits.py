"""Handwritten digits: the network of the theorem on data that no theorem speaks of.

Run it:

    python examples/digits.py            # writes digits.npz and digits.nc beside you, in a few seconds

The data are the 8 × 8 digits that come with scikit-learn (nothing is downloaded). To use images of your own,
replace `images_of` and keep the rest:

1. two classes, with labels −1 and +1;
2. each image cut into P patches of d pixels, all of one size: X has shape (N, P, d);
3. pixels centred and scaled, because f is cubic: twice the pixels are eight times the output.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import advice, save
from lemmascope.sims.cubic_cnn.userdata import load_patches
from lemmascope.sims.schedule import Logarithmic
from lemmascope.theory.optimizers import GD, MomentumAverage


def images_of(minus: int, plus: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8) of two digits, and labels (N,): −1 for the first digit, +1 for the second."""
    digits = load_digits()
    chosen = np.isin(digits.target, (minus, plus))
    return digits.images[chosen], np.where(digits.target[chosen] == plus, 1.0, -1.0)


def patches_of(images: np.ndarray, side: int = 4) -> np.ndarray:
    """Cut (N, h, w) images into squares, row by row: (N, P, side²), centred by the mean image, of variance 1."""
    N, h, w = images.shape
    squares = images.reshape(N, h // side, side, w // side, side).swapaxes(2, 3)
    X = squares.reshape(N, -1, side * side)
    X = X - X.mean(axis=0)
    return X / X.std()


def feature_of(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, int]:
    """A stand-in for w*, which nobody knows here: the difference of the class means, where it is largest.

    Returns the direction (d,), of length 1, and the position of its patch.
    """
    difference = X[y > 0].mean(axis=0) - X[y < 0].mean(axis=0)
    position = int(np.argmax(np.linalg.norm(difference, axis=-1)))
    return difference[position] / np.linalg.norm(difference[position]), position


def make_file(path: Path, minus: int = 3, plus: int = 8) -> Path:
    """Write X, y and, because the example wants to show them, w_star and small."""
    images, y = images_of(minus, plus)
    X = patches_of(images)
    w_star, position = feature_of(X, y)
    # Margin of a sample: how far its patch lies along the feature, on the side of its label. Small: the lowest fifth.
    margin = y * (X[:, position] @ w_star)
    small = margin < np.quantile(margin, 0.2)
    content = io.BytesIO()
    np.savez(content, X=X, y=y, w_star=w_star, small=small)
    if not path.exists():
        path.write_bytes(content.getvalue())
    elif path.read_bytes() != content.getvalue():
        raise SystemExit(f"{path} holds something else, and is left alone; run this in another folder")
    return path


def main(folder: Path = Path()) -> None:
    """Make the file, train GD and GD+M from the same weights, and say what was learnt."""
    path = make_file(folder / "digits.npz")
    problem = load_patches(path, m=10, sigma_0=0.01)
    print(f"{path.name}: {problem.N} images of 3 and 8, each cut into {problem.patches} patches of {problem.d} pixels")

    run = simulate(
        problem, {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.99)}, iterations=2000, record=Logarithmic(40)
    )
    for sentence in advice(run):  # a learning rate that is too large says so here
        print(sentence)
    save(run, folder / "digits.nc")

    one = run.isel(seed=0)
    print("\nTraining accuracy on large- and small-margin images; max |Ξ| over all patches; max |c| along w_star")
    print(f"{'':10}{'iteration':>10}{'large':>8}{'small':>8}{'max |Ξ|':>9}{'max |c|':>9}")
    for name in run.optimizer.values:
        for t in (0, 16, 63, 252, 2000):
            now = one.sel(optimizer=name).sel(iteration=t, method="nearest")
            large, small = (float(now.train_accuracy.sel(margin=g)) for g in ("large", "small"))
            Xi, c = float(now.Xi_abs_max.max()), float(abs(now.c).max())
            print(f"{name:10}{int(now.iteration):>10}{large:>8.2f}{small:>8.2f}{Xi:>9.2f}{c:>9.2f}")
    print(
        "\nBoth fit every image, the large margins first. The coefficients of the patches end far above those along\n"
        "w_star: these images have more to go by than one direction, so no claim about GD against GD+M is made here."
    )


if __name__ == "__main__":
    main()
