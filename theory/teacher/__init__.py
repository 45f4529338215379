"""The talk's teachers: on Gaussian data, with ReLU students and teachers, momentum does not help."""

from __future__ import annotations

__all__ = ["SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="teacher",
    title="Students, teachers and Gaussian data",
    paper=Reference(
        authors="Samy Jelassi and Yuanzhi Li",
        title="Towards understanding how momentum improves generalization in deep learning",
        venue="Talk, and ICML",
        year=2022,
        link="https://proceedings.mlr.press/v162/jelassi22a.html",
    ),
    symbols=(
        Symbol("X", "X", "(N, d)", "inputs, standard normal"),
        Symbol("y", "y", "(N,)", "labels ±1, the sign of the teacher's output about its median"),
        Symbol("d", "d", "", "dimension, 30 = P q"),
        Symbol("N", "N", "", "training samples"),
        Symbol("P", "P", "", "positions of a convolution, without overlap"),
        Symbol("q", "q", "", "inputs of a position"),
        Symbol("h", "h", "", "hidden units"),
        Symbol("W, b", "W", "(q, h), (h,)", "first layer"),
        Symbol("U, e", "U", "(k h, h), (h,)", "second layer, over k neighbouring positions (k = 1 in an MLP)"),
        Symbol("v, c", "v", "(P' h,), ()", "readout over all P' positions"),
        Symbol("f", "f", "(N,)", "output"),
        Symbol("g", "g", "(N,)", "∂L/∂f = −y/(N(1 + e^{yf})), L the logistic loss"),
        Symbol("η", "eta", "", "learning rate"),
        Symbol("γ", "gamma", "", "momentum, average form"),
        Symbol("R", "R", "", "exp of the mean over seeds of log(accuracy of GD+M / accuracy of GD)"),
    ),
)
