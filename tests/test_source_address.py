"""stages.sources.address: what may be written for SOURCE, and how its streams are called."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from stages.sources.address import SourceSpec, natural_order, parse_sources


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def one(source: str) -> SourceSpec:
    (spec,) = parse_sources([source])
    return spec


@pytest.mark.parametrize(
    ("source", "stream", "kind", "address"),
    [
        ("/clips/My Clip_01.MP4", "my-clip-01", "file", "/clips/My Clip_01.MP4"),
        ("clip", "clip", "file", "clip"),
        ("a/Photo.JPG", "photo", "pictures", "a/Photo.JPG"),
        ("/a=b/c.mp4", "c", "file", "/a=b/c.mp4"),
        ("gate-2=/a/c.mp4", "gate-2", "file", "/a/c.mp4"),
        ("rtsp://cam.local/live", "cam-local-live", "rtsp", "rtsp://cam.local/live"),
        ("rtsp://me:pw@10.0.0.5:554/a/1", "10-0-0-5-a-1", "rtsp", "rtsp://me:pw@10.0.0.5:554/a/1"),
        ("rtsp://[fe80::1]:554/live", "fe80-1-live", "rtsp", "rtsp://[fe80::1]:554/live"),
        ("RTSPS://cam/x", "cam-x", "rtsp", "RTSPS://cam/x"),
        ("door=rtsp://h/x?user=a&pw=b", "door", "rtsp", "rtsp://h/x?user=a&pw=b"),
        ("http://h/x.mp4?a=b", "h-x-mp4", "http", "http://h/x.mp4?a=b"),
        ("/dev/video0", "video0", "webcam", "/dev/video0"),
        ("webcam:2", "webcam-2", "webcam", "/dev/video2"),
        ("desk=webcam:0", "desk", "webcam", "/dev/video0"),
        ("synthetic:crossing", "crossing", "synthetic", "synthetic:crossing"),
        ("synthetic:c?size=64x48&fps=5", "c", "synthetic", "synthetic:c?size=64x48&fps=5"),
        ("demo=synthetic:c?seed=1", "demo", "synthetic", "synthetic:c?seed=1"),
        ("/clips/видео.mp4", "stream", "file", "/clips/видео.mp4"),
    ],
)
def test_one_source(source: str, stream: str, kind: str, address: str) -> None:
    spec = one(source)
    assert (spec.stream, spec.kind, spec.address) == (stream, kind, address)


def test_an_equals_sign_in_a_file_name_is_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "gate=2.mp4")
    assert one(str(tmp_path / "gate=2.mp4")).stream == "gate-2"


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].mp4", "a1.mp4")
    assert one(str(tmp_path / "a[1].mp4")).address == str(tmp_path / "a[1].mp4")


def test_a_folder_gives_its_videos_and_one_stream_of_pictures(tmp_path: Path) -> None:
    folder = touch(tmp_path / "Front Door", "b.mp4", "a.mkv", "f10.png", "f2.png", "notes.txt")
    specs = parse_sources([str(folder)])
    assert [(spec.stream, spec.kind) for spec in specs] == [
        ("a", "file"),
        ("b", "file"),
        ("front-door", "pictures"),
    ]
    assert [path.name for path in specs[2].paths] == ["f2.png", "f10.png"]


def test_a_glob_of_pictures_is_one_stream_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path / "run", "i9.jpg", "i10.jpg", "i1.jpg", "other.png")
    spec = one(f"walk={tmp_path}/run/i*.jpg")
    assert (spec.stream, spec.kind) == ("walk", "pictures")
    assert [path.name for path in spec.paths] == ["i1.jpg", "i9.jpg", "i10.jpg"]


def test_a_folder_or_glob_without_media_is_a_stream_that_will_say_so(tmp_path: Path) -> None:
    touch(tmp_path / "empty", "readme.txt")
    assert one(str(tmp_path / "empty")).paths == ()
    assert one(f"{tmp_path}/*.mp4").paths == ()


def test_names_are_unique_and_given_ones_come_first() -> None:
    specs = parse_sources(["a/x.mp4", "b/x.mp4", "c/x.avi", "x-2=d.mp4"])
    assert [spec.stream for spec in specs] == ["x", "x-3", "x-4", "x-2"]


def test_a_name_for_a_glob_of_videos_is_numbered(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    specs = parse_sources([f"hall={tmp_path}/*.mp4"])
    assert [spec.stream for spec in specs] == ["hall", "hall-2"]


def test_all_mistakes_come_at_once_and_without_passwords() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_sources(["", "ftp://me:secret@h/x", "webcam:front", "rtsp://[", "a=1.mp4", "a=2.mp4"])
    assert len(caught.value.mistakes) == 5
    message = str(caught.value)
    assert "secret" not in message
    for part in ("ftp://", "webcam:NUMBER", "a host", "a name for one source"):
        assert part in message


def test_a_password_is_in_no_name_and_no_repr() -> None:
    spec = one("rtsp://admin:hunter2@cam/live?token=abc")
    assert spec.stream == "cam-live"
    assert "hunter2" not in repr(spec) + spec.shown
    assert "abc" not in repr(spec) + spec.shown


@pytest.mark.parametrize("password", ["a/bcd", "a?bcd", "a#bcd", "a@bcd", "a:bcd"])
def test_a_password_that_was_not_escaped_is_in_no_name_either(password: str) -> None:
    assert one(f"rtsp://me:{password}@cam/live").stream == "cam-live"


@pytest.mark.parametrize(
    ("address", "stream"),
    [
        ("rtsp://cam:554/user=admin&password=hunter2&channel=1", "cam-user-password-channel-1"),
        ("rtsp://cam/user=admin_password=hunter2_channel=1.sdp?real", "cam-user"),
        ("rtsp://cam/live?token=abc@hunter2", "cam-live"),
        ("http://cam/live#abc@hunter2", "cam-live"),
        ("rtsp:/me:hunter2@cam", "cam"),
        ("rtsp:me:hunter2@cam", "rtsp-cam"),
        ("rtsp:/me:hunt?er2@cam/live", "cam"),
    ],
)
def test_a_password_in_the_path_or_the_query_is_in_no_name(address: str, stream: str) -> None:
    assert one(address).stream == stream


def test_natural_order_mixes_numbers_and_text() -> None:
    names = [Path(name) for name in ("b", "a10", "a", "2", "a9b", "10")]
    ordered = sorted(names, key=natural_order)
    assert [path.name for path in ordered] == ["2", "10", "a", "a9b", "a10", "b"]
