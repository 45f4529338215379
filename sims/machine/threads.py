"""One thread for each product of matrices, where tasks fill the cores."""

from __future__ import annotations

__all__ = ["one_blas_thread"]

from threadpoolctl import threadpool_limits


def one_blas_thread() -> threadpool_limits:
    """Limit every BLAS of this process to one thread until the end of the block, or for good.

    SciPy brings one of its own, which compiled loops load at their first product: it is loaded here, as what comes
    after a limit is not under it.
    """
    import scipy.linalg.cython_blas  # noqa: F401

    return threadpool_limits(limits=1)
