"""Bad files for stages.decode: one clear error each, after what was good in them."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import ConfigError, SourceEnded, SourceUnavailable, UnsupportedMedia
from tests.media import moving_square, write_audio, write_video
from tests.opening import only_error, source, until_error

SHARED = Path(__file__).parents[1].parent / "shared" / "media" / "videos"


@pytest.mark.parametrize("name", ["nothing.mp4", "nothing.png", "no/such/folder"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    error = only_error(str(tmp_path / name))
    assert isinstance(error, SourceUnavailable)
    assert "No such file" in error.got
    assert name in error.where


def test_a_folder_without_media(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    error = only_error(str(tmp_path))
    assert isinstance(error, UnsupportedMedia)
    assert error.wanted == "videos or pictures"


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        ("empty.mp4", b"", "an empty file"),
        ("noise.mp4", bytes(range(256)) * 40, "bytes that are none"),
        ("zeros.mkv", bytes(10_000), "bytes that are none"),
        ("notes.txt", b"Dear diary,\n" * 100, "plain text"),
        ("empty.png", b"", "0 bytes"),
        ("noise.jpg", bytes(range(256)), "256 bytes"),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, content: bytes, got: str) -> None:
    (tmp_path / name).write_bytes(content)
    error = only_error(str(tmp_path / name))
    assert isinstance(error, UnsupportedMedia)
    assert got in error.got


def test_pictures_that_are_damaged_up_to_the_last_are_all_counted(tmp_path: Path) -> None:
    for index in (0, 2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), moving_square(index))
    for index in (1, 3, 4):
        (tmp_path / f"{index}.png").write_bytes(b"noise")
    frames, error = until_error(str(tmp_path))
    assert [(frame.seq, dict(frame.dropped)) for frame in frames] == [(0, {}), (2, {"corrupt": 1})]
    assert isinstance(error, SourceEnded)
    assert error.corrupt == 2
    assert "2 good pictures, then 2 that cannot be decoded" in error.got


def test_audio_only(tmp_path: Path) -> None:
    error = only_error(str(write_audio(tmp_path / "tone.wav")))
    assert isinstance(error, UnsupportedMedia)
    assert "only audio" in error.got


def test_an_mp4_without_its_index(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", 30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert isinstance(only_error(str(tmp_path / "cut.mp4")), UnsupportedMedia)


def noisy(count: int) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Pictures that do not compress, so that a file can be cut in the middle of its pictures."""
    generator = np.random.default_rng(0)
    for _ in range(count):
        yield generator.integers(0, 256, (48, 64, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_file_that_was_cut_off_gives_what_it_has_and_then_an_error(
    tmp_path: Path, suffix: str
) -> None:
    index_first = {"movflags": "faststart"} if suffix == ".mp4" else {}
    path = write_video(
        tmp_path / f"cut{suffix}",
        noisy(60),
        options={"g": "1"},
        container_options=index_first,
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    frames, error = until_error(str(path))
    assert isinstance(error, SourceEnded)
    assert 25 <= len(frames) <= 32
    assert f"{len(frames)} good pictures" in error.got


def damage(path: Path, first: float, last: float) -> Path:
    """Overwrite a part of a file, from and to these shares of its length."""
    content = bytearray(path.read_bytes())
    a, b = int(len(content) * first), int(len(content) * last)
    content[a:b] = np.random.default_rng(1).integers(0, 256, b - a).astype(np.uint8).tobytes()
    path.write_bytes(bytes(content))
    return path


def test_damage_in_the_middle_is_dropped_and_counted_up_to_the_next_key_picture(
    tmp_path: Path,
) -> None:
    options = {"g": "10", "bf": "0", "sc_threshold": "0"}
    path = write_video(tmp_path / "hurt.mp4", noisy(50), options=options)
    frames = list(source(str(damage(path, 0.33, 0.36))).run(threading.Event()))
    lost = frames[-1].dropped["corrupt"]
    assert len(frames) + lost == 50
    assert 0 < lost <= 20
    for delivered, frame in enumerate(frames):
        assert frame.seq == delivered + sum(frame.dropped.values())
    pairs = itertools.pairwise(frame.seq for frame in frames)
    taken_up = [after for before, after in pairs if after != before + 1]
    assert [seq % 10 for seq in taken_up] == [0]  # at a key picture


def test_without_waiting_for_key_pictures_less_is_dropped(tmp_path: Path) -> None:
    options = {"g": "50", "bf": "0", "sc_threshold": "0"}
    path = damage(write_video(tmp_path / "hurt.mp4", noisy(50), options=options), 0.33, 0.36)
    waiting, ended = until_error(str(path))
    assert isinstance(ended, SourceEnded)
    hurried = list(source(str(path), wait_for_key=False).run(threading.Event()))
    assert len(waiting) < len(hurried)


def test_the_good_frames_of_a_half_corrupt_file() -> None:
    path = SHARED / "decord" / "corrupted.mp4"
    if not path.exists():
        pytest.skip("needs the shared media (videos/decord/corrupted.mp4)")
    frames, error = until_error(str(path))
    assert len(frames) == 28
    assert isinstance(error, SourceEnded)
    assert "28 good pictures, then 22" in error.got


@pytest.mark.parametrize("name", ["broken.mp4", "empty.flv"])
def test_files_that_others_could_not_read(name: str) -> None:
    path = SHARED / "streamio-ffmpeg" / name
    if not path.exists():
        pytest.skip(f"needs the shared media (videos/streamio-ffmpeg/{name})")
    assert isinstance(only_error(str(path)), UnsupportedMedia)


def test_a_damaged_picture_among_others_is_counted(tmp_path: Path) -> None:
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), moving_square(index))
    cut = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(cut[: len(cut) // 2])
    frames = list(source(str(tmp_path)).run(threading.Event()))
    assert [(frame.seq, dict(frame.dropped)) for frame in frames] == [
        (0, {}),
        (2, {"corrupt": 1}),
        (3, {"corrupt": 1}),
    ]


def test_a_picture_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    cv2.imwrite(str(path), moving_square(0))
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut off" in only_error(str(path)).got


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("synthetic:nowhere", "crossing"),
        ("synthetic:crossing?size=big", "size"),
        ("synthetic:crossing?fps=0", "fps"),
        ("synthetic:crossing?colour=red", "colour"),
        ("synthetic:crossing?live=perhaps", "live"),
    ],
)
def test_a_scene_that_does_not_exist_fails_before_it_runs(address: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        source(address)


def test_no_webcam() -> None:
    error = only_error("/dev/video97", open_timeout_s=5)
    assert "plugged in" in error.remedy
    assert isinstance(error, SourceUnavailable)
    assert "No such file" in error.got
