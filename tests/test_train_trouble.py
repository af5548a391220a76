"""Training with pictures that break meanwhile, and without room for its files."""

import json
import resource
import shutil
from pathlib import Path

import pytest

from pipeline.errors import RecordError, SourceError, TrainingError
from stages.learning.training.course import BEST, LAST, STATE
from tests.labelled import labelled
from tests.trained import same, trained


def test_a_corrupt_picture_in_the_middle_stops_or_is_counted(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data", 8)
    spoilt = tmp_path / "data" / "4.png"
    spoilt.write_bytes(spoilt.read_bytes()[:60])  # its header is whole
    for number in (1, 2, 3):
        shutil.copy(spoilt, spoilt.with_name(f"{number}.png"))
    with pytest.raises(SourceError, match=r"\d\.png.*bytes that cannot be decoded"):
        trained(data, tmp_path / "stops", "learn.iterations=4", "data.hold_out=0")
    trained(data, tmp_path / "skips", "learn.iterations=4", "data.bad_pictures=skip")
    record = json.loads((tmp_path / "skips" / "card.json").read_text())["record"]
    assert record["skips"] >= 2
    assert "cannot be decoded" in record["spoilt"][0]
    assert (
        "times a training picture could not be decoded"
        in (tmp_path / "skips" / "card.md").read_text()
    )


def test_a_full_disk_stops_or_is_counted(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    small = ("learn.iterations=2", "data.hold_out=0", "watch.events=false")
    whole = tmp_path / "whole"
    best_bytes = trained(data, whole, *small).stat().st_size
    assert (whole / STATE).stat().st_size > 2 * best_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * best_bytes, hard))
    try:
        with pytest.raises(
            TrainingError, match=r"state\.pt: wanted to write .* got File too large. Make room"
        ):
            trained(data, tmp_path / "stops", *small)
        assert same(trained(data, tmp_path / "goes", *small, "save.full_disk=go-on"), whole / BEST)
        assert "1 files could not be written" in (tmp_path / "goes" / "card.md").read_text()
        resource.setrlimit(resource.RLIMIT_FSIZE, (best_bytes // 2, hard))
        for share in ("0", "0.2"):  # without and with pictures to measure on
            out = tmp_path / f"without {share}"
            with pytest.raises(TrainingError, match="to leave the best weights, got no room"):
                trained(data, out, *small, "save.full_disk=go-on", f"data.hold_out={share}")
            assert not {BEST, LAST, STATE} & {path.name for path in out.iterdir()}
            assert "files could not be written" in (out / "card.md").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_corrupt_picture_to_measure_on_stops_or_is_left_out(tmp_path: Path) -> None:
    data, held = labelled(tmp_path / "data"), labelled(tmp_path / "held")
    spoilt = tmp_path / "held" / "4.png"
    spoilt.write_bytes(spoilt.read_bytes()[:60])
    given = ("learn.iterations=1", f"data.validation='{held}'")
    with pytest.raises(SourceError, match=r"held/4\.png.*bytes that cannot be decoded"):
        trained(data, tmp_path / "stops", *given)
    trained(data, tmp_path / "skips", *given, "data.bad_pictures=skip")
    card = json.loads((tmp_path / "skips" / "card.json").read_text())
    assert card["final"]["pictures"] == 5
    assert len(card["left_out"]) == 1
    text = (tmp_path / "skips" / "card.md").read_text()
    assert "1 validation pictures could not be decoded" in text


def test_a_folder_that_cannot_be_is_said_before_anything_is_read(tmp_path: Path) -> None:
    place = labelled(tmp_path / "data")  # a file
    with pytest.raises(RecordError, match=r"labels\.json: wanted a folder .* --out DIR"):
        trained(tmp_path / "none.json", place)
