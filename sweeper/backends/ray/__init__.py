"""Packs on Ray Tune: on this machine, or on a cluster.

Ray is imported in this room alone. Other rooms open a ``RayBackend``, which follows the protocol ``Backend``, or submit
a job. Ray carries ids of packs and reports; rows never pass through it.
"""

from sweeper.backends.ray.environment import set_environment

set_environment()  # before any module of this room imports Ray, which reads the variables then
