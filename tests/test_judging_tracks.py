"""Figures of tracks: the oracle's, to three decimals; and what cannot be read is said."""

import json
import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.masks import Masks, encode
from stages.judging.detections import detection_files, read_detections
from stages.judging.mots import Line, Seen, read
from stages.judging.sequences import moments_of, results_of, truth_of
from stages.judging.track_score import Moment, TrackJudge, together
from stages.judging.tracked import FrameNumbers, parted

TRACKING = Path(__file__).parents[2] / "shared" / "media" / "tracking"
ORACLE = TRACKING / "kitti_mots_oracle.tar.xz"
NAMES = {1: "car", 2: "pedestrian"}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not ORACLE.exists():
        pytest.skip(f"there is no {ORACLE}: it comes with the shared media, not with the code")
    folder = tmp_path_factory.mktemp("oracle")
    with tarfile.open(ORACLE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "kitti_mots_oracle"


def test_the_oracle_agrees_to_three_decimals(oracle: Path) -> None:
    truth = truth_of(oracle / "gt")
    found = results_of(oracle / "trackers" / "noisy", truth, NAMES)
    judge = TrackJudge()
    got: dict[str, dict[str, float]] = {}
    for category, name in NAMES.items():
        raws = {}
        for sequence in truth:
            frames = sorted({*truth[sequence], *found[sequence]})
            moments = moments_of(sequence, truth[sequence], found[sequence], frames)
            raws[sequence] = judge.raw(moments, category)
            got[f"{sequence}/{name}"] = judge.combined([raws[sequence]])
        got[f"COMBINED_SEQ/{name}"] = judge.combined(raws.values())
    wanted = json.loads((oracle / "oracle.json").read_text())
    assert set(wanted) == set(got)
    for key, figures in wanted.items():
        assert {name: got[key][name] for name in figures} == pytest.approx(figures, abs=5e-4), key


def square(x: int, y: int, side: int = 10) -> Seen:
    bits = np.zeros((60, 80), np.bool_)
    bits[y : y + side, x : x + side] = True
    return Seen(1001, 1, encode(bits))


def lines(*seen: tuple[int, Seen]) -> str:
    return "".join(f"{Line(frame, one)}\n" for frame, one in seen)


def test_a_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(lines((0, square(5, 5)), (3, square(60, 40))) + "\n")
    assert read(file) == {0: [square(5, 5)], 3: [square(60, 40)]}


WHOLE = lines((0, square(5, 5))).split()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 1001 1 60 80", "six fields: frame id class height width counts, got 5"),
        (" ".join(["-1", *WHOLE[1:]]), "a whole number as frame, got '-1'"),
        (" ".join(["0", "x", *WHOLE[2:]]), "a whole number as id, got 'x'"),
        (" ".join(["9" * 5000, *WHOLE[1:]]), f"a whole number as frame, got '{'9' * 40}'"),
        ("0 1 1 0 0 0", "a height and a width of 1 to 32768 px, got 0 and 0"),
        ("0 1 1 99999 99999 0", "a height and a width of 1 to 32768 px, got 99999 and 99999"),
        (" ".join([*WHOLE[:3], "61", *WHOLE[4:]]), "runs that fill 61x80 px, got others"),
        (" ".join([*WHOLE[:5], "~~~"]), "runs that fill 60x80 px, got others"),
        (" ".join([*WHOLE[:5], "P"]), "runs that fill 60x80 px, got others"),
        (" ".join(WHOLE), "each id once a frame, got 1001 again"),
        ("\x80 \xff", "six fields"),
    ],
)
def test_a_line_that_does_not_parse_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "0002.txt"
    file.write_bytes(lines((0, square(5, 5))).encode() + line.encode("latin-1") + b"\n")
    with pytest.raises(SourceError) as info:
        read(file)
    assert str(info.value).startswith(f"{file}: line 2: wanted ")
    assert message in str(info.value)


def test_results_of_unknown_or_missing_sequences_are_refused(tmp_path: Path) -> None:
    for name in ("0002", "0003"):
        (tmp_path / f"{name}.txt").write_text(lines((0, square(5, 5))))
    with pytest.raises(SourceError, match=r"results of the sequences 0002, got of 0003 too"):
        results_of(tmp_path, ["0002"], NAMES)
    with pytest.raises(SourceError, match=r"got none of 0004"):
        results_of(tmp_path, ["0002", "0003", "0004"], NAMES)
    for folder, got in ((tmp_path / "no", "no such folder"), (tmp_path, "no such files")):
        for file in tmp_path.glob("*.txt"):
            file.unlink()
        with pytest.raises(SourceError, match=got):
            results_of(folder, ["0002"], NAMES)
        with pytest.raises(SourceError, match=got):
            truth_of(folder)


def test_masks_that_overlap_or_are_of_another_size_are_refused(tmp_path: Path) -> None:
    other = Seen(1002, 1, square(8, 8).mask)
    (tmp_path / "a.txt").write_text(lines((7, square(5, 5)), (7, other)))
    with pytest.raises(SourceError, match=r"a\.txt: frame 7: .*got instance 1002 over another"):
        results_of(tmp_path, ["a"], NAMES)
    small = Seen(1, 1, encode(np.ones((5, 5), np.bool_)))
    with pytest.raises(SourceError, match=r"a: frame 0: .*got \[5, 5\] and \[60, 80\]"):
        moments_of("a", {0: [square(5, 5)]}, {0: [small]}, [0])


def test_each_pixel_is_left_to_the_surest() -> None:
    dense = np.zeros((3, 4, 4), np.bool_)
    dense[0, :2], dense[1, 1:3], dense[2, :1] = True, True, True
    masks = parted(Masks.from_dense(dense), np.array([0.5, 0.9, 0.7], np.float32))
    assert masks.areas.tolist() == [0, 8, 4]


def test_frame_numbers_go_on_over_epochs() -> None:
    numbers = FrameNumbers()
    got = [numbers.of(*frame) for frame in ((0, 0), (0, 3), (1, 0), (1, 1), (2, 1))]
    assert got == [0, 3, 4, 5, 7]


def test_what_matches_nothing_in_an_ignored_region_does_not_count() -> None:
    judge = TrackJudge()
    outside, inside = Seen(2, 1, square(60, 40).mask), Seen(3, 1, square(30, 30).mask)
    region = square(28, 28, 20).mask
    moments = [Moment([square(5, 5)], [square(5, 5), outside, inside], [region])] * 3
    figures = judge.combined([judge.raw(moments, 1)])
    assert figures["MOTSA"] == pytest.approx(0), "one false positive a true one, not two"
    assert figures["IDSW"] == 0
    assert together([figures, figures]) == figures


def test_a_change_of_identity_is_a_switch() -> None:
    judge = TrackJudge()
    ids = [1, 1, 1, 2, 2, 2]
    moments = [Moment([square(5, 5)], [Seen(i, 1, square(5, 5).mask)]) for i in ids]
    figures = judge.combined([judge.raw(moments, 1)])
    assert (figures["IDSW"], figures["DetA"]) == pytest.approx((1, 1))
    assert figures["AssA"] == pytest.approx(0.5)
    nothing = judge.combined([judge.raw([Moment([], [])], 1)])
    assert nothing["IDSW"] == 0


def detection(**changes: object) -> str:
    counts = square(5, 5).mask["counts"]
    assert isinstance(counts, bytes)
    dets = [{"rle": counts.decode(), "score": 0.9, "class": 1}]
    record = {"seq": "a", "frame": 0, "time_s": 0.1, "size": [60, 80], "dets": dets}
    return json.dumps(record | changes) + "\n"


def test_detections_are_read_plain_and_packed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(detection())
    with lzma.open(tmp_path / "b.jsonl.xz", "wt") as packed:
        packed.write(detection(seq="b", dets=[]))
    frames = list(read_detections(detection_files(tmp_path)))
    assert [(one.sequence, len(one.instances)) for one in frames] == [("a", 1), ("b", 0)]
    assert frames[0].instances.masks.areas.tolist() == [100]
    assert detection_files(tmp_path / "a.jsonl") == [tmp_path / "a.jsonl"]
    with pytest.raises(SourceError, match="got neither"):
        detection_files(tmp_path / "c")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame": -1}, "frame: Input should be greater than or equal to 0"),
        ({"dets": [{"rle": "P", "score": 0.5, "class": 1}]}, "masks of 60x80 px"),
        ({"dets": [{"rle": "P", "class": 1}]}, "dets.0.score: Field required"),
        ({"time_s": 0.1}, "times that grow, got 0.1 s"),
        ({"seq": None}, "seq: Input should be a valid string"),
        ({"size": [-5, 30], "dets": []}, "size.0: Input should be greater than 0"),
        ({"size": [60, 10**6], "dets": []}, "size.1: Input should be less than or equal to 32768"),
    ],
)
def test_a_detection_that_cannot_be_used_is_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(detection() + detection(**{"time_s": 0.2, **changes}))
    with pytest.raises(SourceError) as info:
        list(read_detections([file]))
    assert str(info.value).startswith(f"{file}: line 2: wanted ")
    assert message in str(info.value)


def test_a_packed_file_that_is_broken_is_named(tmp_path: Path) -> None:
    whole = lzma.compress(detection().encode())
    for name, content in (("cut", whole[:-20]), ("none", b"plain")):
        file = tmp_path / f"{name}.jsonl.xz"
        file.write_bytes(content)
        with pytest.raises(SourceError, match=r"wanted a whole \.xz file"):
            list(read_detections([file]))
