"""The implementations of the central network's works: this project's, PyTorch's and JAX's."""
