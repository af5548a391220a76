"""What keys cost, and what a flood of wrong handshakes costs who has the right ones.

    python -m benchmarks.locked_door flood [--seconds 60] [--rate 500]
    python -m benchmarks.locked_door cost

Prints one JSON line each. ``flood``: records a second that each of 3 good subscribers gets, before
and during it; the publisher, the good and the flood are processes of their own. ``cost``: CPU of
the publisher's whole process for each record of 20 KB and picture of 150 KB, with and without.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import zmq

from pipeline.keys import Keys, lock_client, read_keys, read_public
from tests.locked import House

ANY_PORT = "tcp://127.0.0.1:*"
RATE_HZ = 30.0
GOOD = 3

PUBLISHER = """
import os, sys, time
from pipeline.demand import Demand
from stages.publishing.outlet import Outlet, read_lock
keys, allowed, size, rate, kind = sys.argv[1:]
outlet = Outlet("tcp://127.0.0.1:*", "", publisher="bench", demand=Demand(), insecure=False,
                waiting=(1000, 1000), lock=read_lock(keys, allowed))
print(outlet.records, outlet.pictures, flush=True)
payload, sent, due, gap = os.urandom(int(size)), 0, time.monotonic(), 1 / float(rate)
while True:
    outlet.listen()
    outlet.send(kind, [b"v1/bench/" + kind.encode() + b"/", b"%d" % sent, payload])
    sent += 1
    due += gap
    time.sleep(max(0.0, due - time.monotonic()))
"""


def client(
    context: "zmq.Context[zmq.Socket[bytes]]",
    at: str,
    keys: Keys | None,
    server: str,
    topic: bytes = b"v1/",
) -> "zmq.Socket[bytes]":
    sock: zmq.Socket[bytes] = context.socket(zmq.SUB)
    sock.linger = 0
    sock.rcvhwm = 1000
    if keys:
        lock_client(sock, keys, server)
    sock.subscribe(topic)
    sock.connect(at)
    return sock


def received(socks: "list[zmq.Socket[bytes]]", seconds: float) -> list[int]:
    """Messages that each gets in that time."""
    poller = zmq.Poller()
    for sock in socks:
        poller.register(sock, zmq.POLLIN)
    counts = dict.fromkeys(socks, 0)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for sock, _ in poller.poll(round(left * 1000)):
            sock.recv_multipart()
            counts[sock] += 1
    return list(counts.values())


def start(house: House | None, size: int, rate: float, kind: str) -> "subprocess.Popen[str]":
    keys = str(house.server_key.with_suffix(".key")) if house else ""
    allowed = str(house.allowed) if house else ""
    told = [keys, allowed, str(size), str(rate), kind]
    return subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, *told], stdout=subprocess.PIPE, text=True
    )


def endpoints(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def attack(at: str, server: str, rate: float, seconds: float) -> None:
    """Handshakes with keys that are not on the list, every other one with a wrong server key."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    open_ones: list[zmq.Socket[bytes]] = []
    began, tried = time.monotonic(), 0
    while (now := time.monotonic()) - began < seconds:
        while tried < (now - began) * rate:
            public, secret = (half.decode() for half in zmq.curve_keypair())
            wrong = server if tried % 2 else public
            open_ones.append(client(context, at, Keys(public, secret), wrong))
            tried += 1
        while len(open_ones) > rate / 5:
            open_ones.pop(0).close()
        time.sleep(0.002)
    print(tried / seconds, flush=True)
    os._exit(0)


def flood(seconds: float, rate: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        keys, server = read_keys(house.guest("good")), read_public(house.server_key)
        publisher = start(house, 20_000, RATE_HZ, "meta")
        at = endpoints(publisher)[0]
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socks = [client(context, at, keys, server) for _ in range(GOOD)]
        received(socks, 2)
        before = received(socks, min(seconds, 15))
        cpu = cpu_s(publisher.pid)
        told = ["attack", "--at", at, "--server", server, "--rate", str(rate)]
        attacker = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.locked_door", *told, "--seconds", str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        received(socks, 1)
        during = received(socks, seconds - 2)
        cpu = (cpu_s(publisher.pid) - cpu) / seconds
        tried = float(attacker.communicate()[0])
        publisher.kill()
        publisher.wait()
        for sock in socks:
            sock.close()
        context.term()
    rates = [min(before) / min(seconds, 15), min(during) / (seconds - 2)]
    return {
        "part": "flood",
        "handshakes_s": round(tried),
        "good_hz_before": round(rates[0], 2),
        "good_hz_during": round(rates[1], 2),
        "ratio": round(rates[1] / rates[0], 3),
        "publisher_cpu": round(cpu, 2),
    }


def cost() -> dict[str, object]:
    result: dict[str, object] = {"part": "cost"}
    for kind, size in (("meta", 20_000), ("annotated", 150_000)):
        for locked in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                house = House(Path(folder)) if locked else None
                keys = read_keys(house.guest("good")) if house else None
                server = read_public(house.server_key) if house else ""
                publisher = start(house, size, 100.0, kind)
                at = endpoints(publisher)[kind == "annotated"]
                context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
                socks = [client(context, at, keys, server) for _ in range(GOOD)]
                received(socks, 1)
                cpu = cpu_s(publisher.pid)
                count = sum(received(socks, 8))
                cpu = cpu_s(publisher.pid) - cpu
                publisher.kill()
                publisher.wait()
                for sock in socks:
                    sock.close()
                context.term()
            name = f"{kind}_{size // 1000}kB_{'curve' if locked else 'open'}"
            result[f"{name}_cpu_ms_per_message_and_subscriber"] = round(cpu / count * 1000, 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("flood", "cost", "attack"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--at", default="")
    parser.add_argument("--server", default="")
    told = parser.parse_args()
    if told.part == "attack":
        attack(told.at, told.server, told.rate, told.seconds)
    found = flood(told.seconds, told.rate) if told.part == "flood" else cost()
    load = round(os.getloadavg()[0], 1)
    day = datetime.date.today().isoformat()
    print(json.dumps({"day": day, "cores": os.cpu_count(), "load": load, **found}))


if __name__ == "__main__":
    main()
