"""The same pictures sent by maskstream and by its peers: imagezmq and VidGear's NetGear.

    python benchmarks/peers_wire.py [--peers SITE_PACKAGES] [--seconds 4] [--rounds 3]

``--peers``: a folder into which they were installed (pip install --target); a peer that cannot be
imported is left out. Every one sends the same JPEG file of 1080p as bytes, in the program's own
process, to one subscriber in another: at 30 a second and as fast as it can, to one that keeps up
and to one that takes 200 ms. Prints JSON lines, medians of interleaved rounds: pictures handled a
second, their age in ms when they are handled (p50, p99, the last), the sender's CPU in percent of
a core and for each that it sent. REQ/REP is imagezmq's default: its sender waits for each answer.
NetGear has no message beside a picture in PUB/SUB: the time of sending follows the picture's bytes.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import zmq

ROOT = Path(__file__).resolve().parents[1]
FLAT_OUT = 0
START_S = 2.0
"""Both sides get this long to find each other before anything is sent."""

SEND = """
import json, sys, time
import numpy as np
from pathlib import Path
port, jpeg = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
seconds, rate = map(float, sys.argv[3:5])
sys.path.append(sys.argv[5])
picture = np.frombuffer(jpeg, np.uint8)
def moments():
    time.sleep({start})
    global began_s
    began_s, due, sent = time.process_time(), time.monotonic(), 0
    end = due + seconds
    while time.monotonic() < end:
        yield sent
        sent += 1
        if rate:
            due = max(due + 1 / rate, time.monotonic() - 1 / rate)
            time.sleep(max(0.0, due - time.monotonic()))
    print(json.dumps({{"sent": sent, "cpu_s": time.process_time() - began_s}}), flush=True)
"""
RECEIVE = """
import json, sys, time
import numpy as np
port, seconds, service_s = int(sys.argv[1]), *map(float, sys.argv[2:4])
sys.path.append(sys.argv[4])
ages_ms, end, told = [], 0.0, False
def handle(sent_ns):
    global end, told
    now = time.monotonic()
    end = end or now + seconds
    ages_ms.append((time.time_ns() - int(sent_ns)) / 1e6)
    if service_s:
        time.sleep(service_s)
    if not told and time.monotonic() >= end:  # it goes on, so that no sender waits for ever
        told = True
        print(json.dumps(ages_ms), flush=True)
"""
OURS_SENDS = """
from fractions import Fraction
from pipeline.demand import Demand
from pipeline.frame import Frame, Image
from pipeline.stage import ListInbox
from stages.publish import PublishSettings, PublishStage
image = Image("jpeg", (picture,), 1920, 1080)
def frames():
    for seq in moments():
        yield Frame("bench", 0, seq, seq, Fraction(1, 30), time.monotonic_ns(), time.time_ns(),
                    "arrival", image)
stage = PublishStage(PublishSettings(endpoint=f"tcp://127.0.0.1:{port}", linger_s=0),
                     demand=Demand())
for _ in stage.run(ListInbox(frames())):
    pass
"""
OURS_RECEIVES = """
from pipeline.client import Subscriber
with Subscriber(f"tcp://127.0.0.1:{port}", kinds=("image",), mode="latest") as subscriber:
    for frame in subscriber:
        handle(frame.captured_utc_ns)
"""
IMAGEZMQ_SENDS = """
import imagezmq
sender = imagezmq.ImageSender("tcp://%s:%d" % (("*" if {pubsub} else "127.0.0.1"), port),
                              REQ_REP=not {pubsub})
for _ in moments():
    sender.send_jpg(str(time.time_ns()), jpeg)
"""
IMAGEZMQ_RECEIVES = """
import imagezmq
hub = imagezmq.ImageHub("tcp://%s:%d" % (("127.0.0.1" if {pubsub} else "*"), port),
                        REQ_REP=not {pubsub})
while True:
    sent_ns, found = hub.recv_jpg()
    assert len(found)
    handle(sent_ns)
    if not {pubsub}:
        hub.send_reply()
"""
NETGEAR_SENDS = """
from vidgear.gears import NetGear
server = NetGear(address="127.0.0.1", port=str(port), protocol="tcp", pattern=2,
                 receive_mode=False, jpeg_compression=False)
for _ in moments():
    server.send(np.concatenate([picture, np.array([time.time_ns()]).view(np.uint8)]))
"""
NETGEAR_RECEIVES = """
from vidgear.gears import NetGear
client = NetGear(address="127.0.0.1", port=str(port), protocol="tcp", pattern=2,
                 receive_mode=True, jpeg_compression=False)
while True:
    handle(client.recv()[-8:].view(np.int64)[0])
"""
PEERS = {
    "maskstream, latest": ("pipeline", OURS_SENDS, OURS_RECEIVES),
    "imagezmq PUB/SUB": (
        "imagezmq",
        IMAGEZMQ_SENDS.replace("{pubsub}", "True"),
        IMAGEZMQ_RECEIVES.replace("{pubsub}", "True"),
    ),
    "imagezmq REQ/REP": (
        "imagezmq",
        IMAGEZMQ_SENDS.replace("{pubsub}", "False"),
        IMAGEZMQ_RECEIVES.replace("{pubsub}", "False"),
    ),
    "NetGear PUB/SUB": ("vidgear.gears", NETGEAR_SENDS, NETGEAR_RECEIVES),
}


def main() -> None:
    options = argparse.ArgumentParser(description="Pictures sent beside our peers")
    options.add_argument("--peers", default="")
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jpeg = Path(folder) / "picture.jpg"
        jpeg.write_bytes(picture())
        names = [name for name in PEERS if can_import(PEERS[name][0], given.peers)]
        for rate, service_s in ((30, 0.0), (30, 0.2), (FLAT_OUT, 0.0), (FLAT_OUT, 0.2)):
            rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
            for _ in range(given.rounds):
                for name, found in rounds.items():
                    found.append(run(name, jpeg, rate, service_s, given))
            for name, found in rounds.items():
                medians = {k: round(statistics.median(r[k] for r in found), 2) for k in found[0]}
                how = {"rate": rate or "flat out", "service_ms": round(service_s * 1e3)}
                size = {"bytes": jpeg.stat().st_size, "zmq": zmq.zmq_version()}
                print(json.dumps({"peer": name, **how, **medians, **size}), flush=True)


def can_import(module: str, peers: str) -> bool:
    program = (
        "import importlib, sys; sys.path.append(sys.argv[1]); importlib.import_module(sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, peers, module], cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode:
        print(f"left out, cannot be imported: {module}", file=sys.stderr)
    return done.returncode == 0


def picture() -> bytes:
    """A JPEG file of 1080p, some hundred KB."""
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 255, (54, 96, 3), np.uint8)
    smooth = cv2.resize(rough, (1920, 1080), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def run(
    name: str, jpeg: Path, rate: int, service_s: float, given: argparse.Namespace
) -> dict[str, float]:
    """One sender and one subscriber, each in a process of its own."""
    _, sends, receives = PEERS[name]
    port, seconds = str(free_port()), str(given.seconds)
    receiver = program(RECEIVE + receives, port, seconds, str(service_s), given.peers)
    longer = str(given.seconds + 1)
    told = [port, str(jpeg), longer, str(rate), given.peers]
    sender = program(SEND.format(start=START_S) + sends, *told)
    try:
        ages = np.array(json.loads(line(receiver, name)))
        spent = json.loads(line(sender, name))
    finally:
        for process in (receiver, sender):
            process.kill()
            process.communicate()
    return {
        "handled_hz": ages.size / given.seconds,
        "age_p50_ms": float(np.percentile(ages, 50)),
        "age_p99_ms": float(np.percentile(ages, 99)),
        "age_last_ms": float(ages[-1]),
        "sent_hz": spent["sent"] / (given.seconds + 1),
        "sender_cpu_percent": spent["cpu_s"] * 100 / (given.seconds + 1),
        "sender_cpu_ms_a_sent": spent["cpu_s"] * 1e3 / spent["sent"],
    }


def program(text: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", text, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def line(process: "subprocess.Popen[str]", name: str) -> str:
    """What it says when it is done: one line that begins like JSON."""
    assert process.stdout is not None
    deadline = time.monotonic() + 60
    while (said := process.stdout.readline()) and time.monotonic() < deadline:
        if said[0] in "[{":
            return said
    assert process.stderr is not None
    sys.exit(f"{name} failed: {process.stderr.read()[-1000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
