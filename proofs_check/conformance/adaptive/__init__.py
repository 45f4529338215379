"""Which algorithm of the Adam family, or of momentum, an optimizer is, exactly.

In three lines::

    from lemmascope.proofs_check.conformance.adaptive.which import which
    make = lambda params, lr, betas, eps: MyOptimizer(params, lr=lr, betas=betas, eps=eps)
    print(which(make).text())
"""
