"""COCO results and MOTS text beside a recording: what others read, also after a kill."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from pipeline.config import load
from pipeline.errors import ConfigError, RecordError, SourceError, StreamError
from pipeline.frame import Frame, Instances, Model, TrackState
from pipeline.masks import Masks
from stages.judging.mots import class_numbers, read
from stages.judging.sequences import results_of
from stages.networks.coco_classes import COCO_CLASSES
from stages.program import ProgramSettings
from stages.record import RecordSettings
from stages.recording.exports import CocoExport, MotsExport
from tests import program, recorded

MODEL = Model("tiny", "sha256:none", ("person", "shape"))
Thing = tuple[int, int, int, float]
"""x px, class, track (-1: not tracked), score."""


def frame(seq: int, things: Sequence[Thing], epoch: int = 0, model: Model = MODEL) -> Frame:
    bits = np.zeros((len(things), 48, 64), np.bool_)
    for row, (x, *_) in enumerate(things):
        bits[row, 10:20, x : x + 10] = True
    tracks = np.array([track for _, _, track, _ in things], np.int64)
    found = replace(
        Instances.detected(
            Masks.from_dense(bits),
            np.array([score for *_, score in things], np.float32),
            np.array([label for _, label, _, _ in things], np.int32),
        ),
        track_ids=tracks,
        states=np.where(tracks < 0, TrackState.UNTRACKED, TrackState.TRACKED).astype(np.uint8),
    )
    return replace(recorded.frame(seq, 40 * seq, epoch=epoch), instances=found, model=model)


def export(folder: Path, frames: Sequence[Frame], **settings: object) -> list[StreamError]:
    chosen = RecordSettings.model_validate(
        {"directory": folder, "video": False, "formats": ("coco", "mots"), **settings}
    )
    return recorded.record(folder, frames, chosen)[2]


def entries(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(path.read_text())
    return found


def test_coco_results_hold_every_instance(tmp_path: Path) -> None:
    frames = [frame(0, [(5, 0, 1, 0.9), (40, 1, -1, 0.25)]), frame(2, []), frame(3, [(6, 0, 1, 1)])]
    assert export(tmp_path, frames) == []
    first, second, third = entries(tmp_path / "gate.coco.json")
    assert first | {"segmentation": 0} == {
        "image_id": 0,
        "category_id": 1,
        "score": 0.9,
        "bbox": [5, 10, 10, 10],
        "segmentation": 0,
    }
    assert (second["category_id"], second["score"], third["image_id"]) == (2, 0.25, 3)
    assert coco.area(first["segmentation"]) == 100


def test_a_coco_network_gets_cocos_own_numbers(tmp_path: Path) -> None:
    model = Model("big", "sha256:none", COCO_CLASSES)
    export(tmp_path, [frame(0, [(5, 79, 1, 0.9)], model=model)])
    assert entries(tmp_path / "gate.coco.json")[0]["category_id"] == 90


def test_mots_text_holds_tracked_instances_without_overlaps(tmp_path: Path) -> None:
    frames = [
        frame(0, [(5, 0, 7, 0.6), (10, 0, 8, 0.9), (40, 1, -1, 0.9)]),
        frame(1, [(6, 0, 7, 0.9), (50, 1, 9, 0.9)]),
        frame(0, [(6, 0, 7, 0.9)], epoch=1),
    ]
    assert export(tmp_path, frames) == []
    seen = read(tmp_path / "gate.txt")
    ids = {number: [one.identity for one in there] for number, there in seen.items()}
    assert ids == {0: [1000, 1001], 1: [1000, 2000], 2: [1002]}
    assert [coco.area(one.mask) for one in seen[0]] == [50, 100]


def test_recording_and_text_hold_the_same(tmp_path: Path) -> None:
    frames = [frame(n, [(n, 0, 1, 0.9), (n + 5, 1, 2, 0.8)]) for n in range(4)]
    export(tmp_path, frames, mots_classes=["person=2"])
    text = read(tmp_path / "gate.txt")
    assert [one.identity for one in text[0]] == [2000]
    (tmp_path / "gate.txt").unlink()
    lines = results_of(tmp_path, ["gate"], {2: "person"})["gate"]
    assert {n: [one.mask for one in there] for n, there in text.items()} == {
        n: [one.mask for one in there] for n, there in lines.items()
    }


def test_more_ids_than_the_format_can_hold_end_that_file_alone(tmp_path: Path) -> None:
    frames = [frame(n, [(5, 0, n + 1, 0.9)]) for n in range(1002)]
    errors = export(tmp_path, frames)
    assert [str(error) for error in errors] == [
        f"{tmp_path / 'gate.txt'}: wanted at most 1000 tracks of a class, the room of MOTS ids, "
        "got one more of class 1. It ends here; the JSON lines go on. Record shorter pieces"
    ]
    assert len(read(tmp_path / "gate.txt")) == 1000
    assert len(entries(tmp_path / "gate.coco.json")) == 1002
    assert len(recorded.lines(tmp_path / "gate.jsonl")) == 1002


def test_files_are_whole_after_every_frame_and_go_on(tmp_path: Path) -> None:
    text, results = MotsExport(tmp_path / "a.txt", {}), CocoExport(tmp_path / "a.json")
    for number in range(5):
        for each in (text, results):
            each.write(frame(number, [(5, 0, 1, 0.9)] * (number > 0)))
            if number == 2:
                each.close()
        assert len(entries(tmp_path / "a.json")) == number
        assert len(read(tmp_path / "a.txt")) == number
    for each in (text, results):
        each.close()
        each.close()


WRITER = """
import itertools, sys
from pathlib import Path
from stages.recording.exports import CocoExport, MotsExport
from tests.test_exports import frame
text, results = MotsExport(Path(sys.argv[1]), {}), CocoExport(Path(sys.argv[2]))
for number in itertools.count():
    for each in (text, results):
        each.write(frame(number, [(5, 0, 1, 0.9), (30, 0, 2, 0.9)]))
    print(number, flush=True)
"""


def test_a_kill_leaves_what_was_done_readable(tmp_path: Path) -> None:
    text, results = tmp_path / "a.txt", tmp_path / "a.json"
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", WRITER, str(text), str(results)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        seen = next(int(line) for line in writer.stdout if int(line) >= 200)
        writer.send_signal(signal.SIGKILL)
    assert len(read(text)) > seen
    assert len(entries(results)) > 2 * seen


def test_a_full_disk_leaves_what_was_written(tmp_path: Path) -> None:
    export_file = CocoExport(tmp_path / "a.json")
    export_file.write(frame(0, [(5, 0, 1, 0.9)]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = (tmp_path / "a.json").stat().st_size + 30
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(RecordError, match="wanted to write COCO results"):
            export_file.write(frame(1, [(5, 0, 1, 0.9)]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(entries(tmp_path / "a.json")) == 1


def test_earlier_exports_make_way_and_other_files_stay(tmp_path: Path) -> None:
    export(tmp_path, [frame(0, [(5, 0, 1, 0.9)])] * 1)
    export(tmp_path, [frame(0, [])], formats=["coco"])
    assert entries(tmp_path / "gate.coco.json") == []
    assert (tmp_path / "gate.txt").exists(), "nobody asked for it: it may be somebody's notes"
    errors = export(tmp_path, [frame(0, [])], overwrite=False)
    assert "got an earlier recording" in str(errors[0])


def test_settings_are_checked() -> None:
    assert class_numbers(["car=1", "person = 2"]) == {"car": 1, "person": 2}
    for wrong in ('["car"]', '["sky=10"]', '["a=1","b=1"]', '["a=0"]'):
        with pytest.raises(ConfigError, match=r"record\.mots_classes"):
            load(ProgramSettings, overrides=[f"record.mots_classes={wrong}"])
    with pytest.raises(ConfigError, match=r"record\.formats.*got 'yolo'"):
        load(ProgramSettings, overrides=["record.formats=['yolo']"])


def test_the_option_of_the_program_writes_them(tmp_path: Path) -> None:
    scene = "a=synthetic:crossing?size=160x90&fps=2"
    ran = program.run(
        *("run", scene, "--record", "out", "--record-as", "coco,mots", "--publish", "none"),
        *("--set", "record.video=false"),
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("a.jsonl", "a.coco.json", "a.txt"),
    }
    assert len(entries(tmp_path / "out" / "a.coco.json")) >= 10
    assert "a.coco.json" in ran.stderr


def test_a_recording_of_other_classes_or_with_a_broken_line_is_refused(tmp_path: Path) -> None:
    export(tmp_path, [frame(0, [(5, 0, 1, 0.9)])], formats=[])
    with pytest.raises(SourceError, match=r"wanted one of the classes car, got person"):
        results_of(tmp_path, ["gate"], {1: "car"})
    with (tmp_path / "gate.jsonl").open("a") as lines:
        lines.write('{"v": 1}\n')
    with pytest.raises(SourceError, match=r"gate\.jsonl: line 2: wanted "):
        results_of(tmp_path, ["gate"], {1: "person"})
