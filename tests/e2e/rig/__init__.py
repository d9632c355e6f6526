"""What the end-to-end tests are built from: real processes, real sockets."""
from rig.rig import Rig, wait_until  # noqa: F401
