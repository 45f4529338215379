"""One file a library: it is found by being here, and defines ``DRIVER``, a `Driver`."""
