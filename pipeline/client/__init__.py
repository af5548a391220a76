"""Receive what a maskstream publishes: ``for frame in Subscriber("tcp://127.0.0.1:5555"): …``.

Needs only numpy, pyzmq and pycocotools.
"""

from .accounts import KindStatistics
from .asynchronous import AsyncSubscriber
from .books import Statistics
from .subscriber import Subscriber

__all__ = ["AsyncSubscriber", "KindStatistics", "Statistics", "Subscriber"]
