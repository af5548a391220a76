"""Property tests do not depend on how busy a machine is, and in CI not on chance; Ctrl-C reaches
programs that tests start, also where the tests run in the background."""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's `&` does that, for children too
    signal.signal(signal.SIGINT, signal.default_int_handler)
