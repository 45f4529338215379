"""A radius around a computed trajectory, within which that of exact real arithmetic lies.

`rounding` says what is assumed of the arithmetic; `data` bounds what a problem is made of; `window` is what is seen of
some iterations; `residual` bounds how far a computed step is from the exact one, `curvature` how far apart a step takes
two points; `radius` puts both together. `quantities` and `accuracy` enclose what the theorem is about.
"""
