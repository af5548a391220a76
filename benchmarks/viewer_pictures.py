"""Makes the pictures of the viewer in docs/: viewer-dark.jpg, viewer-light.jpg, viewer-phone.jpg.

    python benchmarks/viewer_pictures.py PEOPLE.mp4 [--work DIR]

Segments a minute of PEOPLE.mp4 and of the demo scene with the bundled weights, plays both
recordings again and again, opens the viewer in Debian's chromium and takes its picture.
``--work`` keeps the recordings for the next time. docs/VIEWER.md shows the result.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from selenium.webdriver import Chrome

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from stages.learning.scenes import scene_of  # noqa: E402  (needs the path)
from tests.browser import browser, wait  # noqa: E402

PROGRAM = [sys.executable, str(ROOT / "run_stream.py")]
ENDPOINT = "tcp://127.0.0.1:5965"
FPS = 12
SECONDS = 60
QUALITY = 82
SHOTS = (  # name, width, height, density, colour scheme, fragment of the address
    ("dark", 1440, 1000, 1.0, "dark", ""),
    ("light", 1440, 1000, 1.0, "light", "#stream=hall"),
    ("phone", 390, 844, 1.5, "dark", "#stream=hall"),
)


def main() -> None:
    options = argparse.ArgumentParser(description="Pictures of the viewer")
    options.add_argument("people", type=Path)
    options.add_argument("--work", type=Path)
    given = options.parse_args()
    with ExitStack() as stack:
        work = given.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(exist_ok=True)
        films = {"hall": slowed(given.people, work / "hall-plain.mp4")}
        films["bench"] = acted(work / "bench-plain.mp4")
        for name, film in films.items():
            record(name, film, work)
        address = stack.enter_context(shown(work, films))
        page = stack.enter_context(
            browser(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        )
        time.sleep(75)  # until the charts have something to show
        for shot in SHOTS:
            take(page, address, *shot)


def slowed(source: Path, film: Path) -> Path:
    """A minute of ``source`` at FPS: every picture of it, so that two streams fit on two cores."""
    if not film.exists():
        with av.open(source) as container:
            decoded = container.decode(video=0)
            frames = (np.asarray(one.to_ndarray(format="bgr24"), np.uint8) for one in decoded)
            write(film, (picture for picture, _ in zip(frames, range(FPS * SECONDS), strict=False)))
    return film


def acted(film: Path) -> Path:
    """A minute of the demo: six scenes of ten seconds."""
    if not film.exists():
        scenes = [scene_of(f"synthetic:demo?size=640x360&fps={FPS}&seed={n}") for n in range(6)]
        write(film, (scene.render(n)[0] for scene in scenes for n in range(scene.frames)))
    return film


def write(film: Path, pictures: Iterator[NDArray[np.uint8]]) -> None:
    """``pictures`` as H.264."""
    with av.open(film, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "18"})
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for picture in pictures:
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


def record(name: str, film: Path, work: Path) -> None:
    """Segment ``film`` into ``work``/``name``.jsonl."""
    if not (work / f"{name}.jsonl").exists():
        source = [f"{name}={film}", "--record", str(work), "--publish", "none"]
        subprocess.run([*PROGRAM, "run", *source], check=True)


@contextmanager
def shown(work: Path, films: dict[str, Path]) -> Iterator[str]:
    """The viewer's address, while it shows the recordings."""
    lines = [str(work / f"{name}.jsonl") for name in films]
    pictures = [part for film in films.values() for part in ("--image", film, "--video", "none")]
    play = [*PROGRAM, "play", *lines, *map(str, pictures), "--loop", "--publish", ENDPOINT]
    with (
        ended(subprocess.Popen(play, text=True)),
        ended(
            subprocess.Popen(
                [*PROGRAM, "view", ENDPOINT, "--port", "0"], stderr=subprocess.PIPE, text=True
            )
        ) as viewer,
    ):
        assert viewer.stderr is not None
        yield viewer.stderr.readline().rpartition(" on ")[2].strip()


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """A process that ends with the block."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def take(
    page: Chrome,
    address: str,
    name: str,
    width: int,
    height: int,
    density: float,
    scheme: str,
    fragment: str,
) -> None:
    """One picture of the page, with a track highlighted when there is one."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": density, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.get("about:blank")
    page.get(address + fragment)
    someone = (
        "return !!document.querySelector('.tile:not([hidden]) canvas:not([data-tracks=\"\"])')"
    )
    time.sleep(5)
    wait(lambda: page.execute_script(someone), "nobody is in the picture", 30)
    pixels = cv2.imdecode(np.frombuffer(page.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    place = ROOT / "docs" / f"viewer-{name}.jpg"
    cv2.imwrite(str(place), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(f"{place.name}: {place.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
