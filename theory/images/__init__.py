"""Momentum's gain on real images, against the size of the batch."""

from __future__ import annotations

__all__ = ["SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="images",
    title="Convolutional networks on real images",
    paper=Reference(
        authors="Samy Jelassi and Yuanzhi Li",
        title="Towards understanding how momentum improves generalization in deep learning",
        venue="Talk, and ICML",
        year=2022,
        link="https://proceedings.mlr.press/v162/jelassi22a.html",
    ),
    symbols=(
        Symbol("x", "x", "(n, H, W, C)", "images, channels last"),
        Symbol("y", "labels", "(n,)", "classes 0 … K − 1"),
        Symbol("N", "N", "", "training images"),
        Symbol("B", "batch", "", "images of a step, without replacement"),
        Symbol("cols", "columns", "(n, H, W, 9C)", "the nine neighbours of each pixel side by side, 0 outside"),
        Symbol("K_l, b_l", "K1", "(9C, C'), (C',)", "kernel and bias of the l-th convolution"),
        Symbol("s_l", "s1", "(C',)", "scale of the l-th normalization"),
        Symbol("V, c", "V", "(F, K), (K,)", "dense layer"),
        Symbol("z, a", "z", "(n, H, W, C')", "before and after the relu"),
        Symbol("o", "o", "(n, K)", "outputs, softmax cross-entropy"),
        Symbol("η", "eta", "", "learning rate"),
        Symbol("γ", "gamma", "", "momentum, average form; 0 is SGD"),
        Symbol("G", "gain", "", "test accuracy of SGD+M less that of SGD"),
    ),
)
