"""What the viewer remembers: who came and went, how streams are, and that it is bounded."""

import json
from dataclasses import replace

from pipeline.frame import Frame, Model
from pipeline.viewer.board import Board, News
from pipeline.viewer.history import MOST_TRACKS, UNSEEN_MS, Log, Tracks
from pipeline.wire import Message, Status, Totals
from tests.station import frame

S_NS, S_MS = 1_000_000_000, 1_000


def record(seq: int = 0, publisher: str = "p", **changes: object) -> Message:
    sent = frame(seq, **changes)  # type: ignore[arg-type]
    return Message("meta", publisher, sent.stream, seq, b"{}", frame=sent)


def status(second: float, **changes: object) -> Status:
    plain = Status("gate-2", "running", int(second * S_NS), streams=("gate-2",))
    return replace(plain, **changes)  # type: ignore[arg-type]


def state(board: Board) -> object:
    rows = board.news(News())["streams"]
    assert isinstance(rows, list)
    return rows[0]["state"]


def measured(board: Board) -> tuple[object, object]:
    rows = board.news(News())["streams"]
    assert isinstance(rows, list)
    return rows[0]["in"], rows[0]["age"]


def happened(board: Board) -> list[tuple[object, object]]:
    events = board.news(News())["events"]
    assert isinstance(events, list)
    return [(event["what"], event.get("track")) for event in events]


def test_a_log_forgets_the_oldest_and_keeps_its_numbers() -> None:
    log = Log(3)
    for number in range(5):
        log.add({"value": number})
    assert [entry["value"] for entry in log.after(0)] == [2, 3, 4]
    assert log.after(4) == [{"n": 5, "value": 4}]
    assert log.after(5) == []


def test_tracks_appear_and_leave() -> None:
    events = Log(10)
    tracks = Tracks("gate-2", events)
    tracks.note(frame(0), "p", 1_000)
    tracks.note(frame(1), "p", 4_000)
    tracks.note(frame(2, instances=None, ended=(7,)), "p", 5_000)
    place = {"stream": "gate-2", "epoch": 0, "track": 7, "label": "person"}
    assert events.after(0) == [
        {"n": 1, "what": "appeared", "t": 1_000, **place},
        {"n": 2, "what": "left", "t": 5_000, **place, "seen": 4_000, "lasted": 3_000},
    ], "the tentative one is not listed"
    assert tracks.present() == []


def test_whoever_is_not_seen_has_left() -> None:
    events = Log(10)
    tracks = Tracks("gate-2", events)
    tracks.note(frame(0), "p", 1_000)
    tracks.sweep(1_000 + UNSEEN_MS)
    assert len(tracks.present()) == 1
    tracks.sweep(1_001 + UNSEEN_MS)
    assert tracks.present() == []


def test_a_new_epoch_or_publisher_begins_anew() -> None:
    for second in (("p", frame(0, epoch=1)), ("q", frame(0))):
        events = Log(10)
        tracks = Tracks("gate-2", events)
        tracks.note(frame(0), "p", 1_000)
        tracks.note(second[1], second[0], 2_000)
        assert [entry["what"] for entry in events.after(0)] == ["appeared", "left", "appeared"]


def test_tracks_are_bounded() -> None:
    tracks = Tracks("gate-2", Log(10))
    found = frame(0).instances
    assert found is not None
    for number in range(MOST_TRACKS + 5):
        one = replace(found.select([0]), track_ids=found.track_ids[:1] * 0 + number)
        tracks.note(frame(0, instances=one, ended=()), "p", 1_000)
    assert len(tracks.present()) == MOST_TRACKS


def test_what_is_kept_of_a_stranger_is_bounded() -> None:
    board = Board()
    many = {f"reason {n}": n + 1 for n in range(1000)}
    board.tell({"gate-2": status(0)}, 0, 0)
    totals = Totals(10**6, 0, many)
    board.tell({"gate-2": status(1, totals=totals)}, S_NS, S_MS)
    board.note(record(model=Model("m", "w", ("x" * 10**6, "y"))), S_NS, S_MS)
    kept = board.welcome()
    assert "reason 999" in json.dumps(kept["samples"])
    assert len(json.dumps(kept)) < 2_000


def test_a_silent_publisher_is_gone_since_its_last_picture() -> None:
    board = Board()
    statuses = {"gate-2": status(0)}
    board.tell(statuses, 0, 0)
    board.note(record(), S_NS, S_MS)
    board.tell(statuses, 2 * S_NS, 2 * S_MS)
    assert state(board) == "running"
    board.tell(statuses, 3 * S_NS + 1, 3 * S_MS)
    assert state(board) == "gone"
    news = board.news(News())
    assert news["publisher"] == {"state": "gone", "since": S_MS}
    assert news["streams"][0]["since"] == S_MS  # type: ignore[index]


def test_a_publisher_that_comes_back_is_live_again() -> None:
    board = Board()
    board.tell({"gate-2": status(0)}, 0, 0)
    board.note(record(), 0, 0)
    board.tell({"gate-2": status(0)}, 9 * S_NS, 9 * S_MS)
    board.note(record(publisher="q"), 10 * S_NS, 10 * S_MS)
    board.tell({"gate-2": status(10)}, 10 * S_NS, 10 * S_MS)
    assert state(board) == "running"
    assert happened(board) == [
        ("appeared", 7),
        ("gone", None),
        ("left", 7),
        ("restarted", None),
        ("appeared", 7),
        ("running", None),
    ]


def test_an_end_is_no_silence() -> None:
    board = Board()
    board.tell({"gate-2": status(0)}, 0, 0)
    board.note(record(), 0, 0)
    board.tell({"gate-2": status(1, state="ended")}, S_NS, S_MS)
    board.tell({"gate-2": status(1, state="ended")}, 60 * S_NS, 60 * S_MS)
    assert state(board) == "ended"
    assert happened(board)[-1] == ("left", 7)
    assert board.news(News())["publisher"] == {"state": "ended", "since": S_MS}


def test_rates_are_measured_over_whole_seconds() -> None:
    board = Board()
    totals = [Totals(100), Totals(101, 1), Totals(125, 20, {"stale": 5})]
    for second, total in zip((0, 0.01, 1), totals, strict=True):
        board.tell({"gate-2": status(second, totals=total, age_ms=(3.0, 9.0))}, 0, 0)
    assert board.news(News())["samples"] == [
        {
            "n": 1,
            "t": 0,
            "stream": "gate-2",
            "in": 25.0,
            "out": 20.0,
            "p50": 3.0,
            "p95": 9.0,
            "drops": {"stale": 5},
        }
    ]


def test_numbers_of_who_is_gone_are_not_shown_as_new() -> None:
    board = Board()
    for second, captured in ((0, 0), (1, 25)):
        statuses = {"gate-2": status(second, totals=Totals(captured), age_ms=(3.0, 9.0))}
        board.tell(statuses, second * S_NS, second * S_MS)
    assert measured(board) == (25.0, (3.0, 9.0))
    board.tell(statuses, 9 * S_NS, 9 * S_MS)
    assert measured(board) == (0.0, None)


def test_a_clock_that_steps_back_and_a_restart_measure_nothing() -> None:
    board = Board()
    for second, captured in ((100, 50), (5, 60), (6, 2)):
        board.tell({"gate-2": status(second, totals=Totals(captured))}, 0, 0)
    assert board.news(News())["samples"] == []


def test_streams_are_those_of_the_publisher_in_its_order() -> None:
    board = Board()
    both = ("yard", "gate-2")
    statuses = {name: replace(status(0), stream=name, streams=both) for name in sorted(both)}
    board.tell(statuses, 0, 0)
    rows = board.news(News())["streams"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == ["yard", "gate-2"]
    board.tell({"yard": replace(statuses["yard"], streams=("yard",))}, 0, 0)
    assert board.streams == {"yard"}


def test_a_record_before_any_status_waits_for_it() -> None:
    board = Board()
    sent: Frame | None = record().frame
    assert sent is not None
    board.note(record(), 0, 0)
    assert board.news(News())["streams"] == []
    assert board.told() == News(0, 0)
