"""What waits for a subscriber: whatever comes and goes, numbers have no gaps and books add up."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.wire import FrameKind
from stages.publishing.lines import KeptLine, NewestLine

KINDS: tuple[FrameKind, ...] = ("meta", "annotated")
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from(["a", "b"]), st.sampled_from(KINDS)),
        st.tuples(st.just("send")),
        st.tuples(st.just("acknowledge"), st.integers(-1, 40)),
        st.tuples(st.just("rewind")),
    ),
    max_size=80,
)


def first_part(line: NewestLine | KeptLine) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(line.head()[0])
    return answer


@given(ACTIONS)
def test_the_newest_line_skips_and_says_so(actions: list[tuple[Any, ...]]) -> None:
    line = NewestLine()
    offered: dict[tuple[str, str], int] = {}
    got: dict[tuple[str, str], int] = {}
    sent = 0
    for action, *values in actions:
        if action == "offer":
            stream, kind = values
            index = offered[stream, kind] = offered.get((stream, kind), -1) + 1
            line.offer(stream, kind, [stream.encode(), kind.encode(), b"%d" % index])
        elif action == "send" and line.waits:
            answer, (stream, kind, at) = first_part(line), line.head()[1:]
            key = (stream.decode(), kind.decode())
            assert answer["number"] == sent
            assert int(at) == offered[key]  # the newest, always
            assert int(at) == got.get(key, 0) + answer["skipped"]
            got[key] = got.get(key, 0) + 1
            line.sent()
            sent += 1
        elif action == "acknowledge":
            assert line.acknowledge(values[0]) is (values[0] < sent)
            assert 0 <= line.under_way <= sent


@given(ACTIONS)
def test_the_kept_line_keeps_until_it_is_acknowledged(actions: list[tuple[Any, ...]]) -> None:
    line = KeptLine()
    offered = acknowledged = following = reached = 0
    for action, *values in [*actions, ("rewind",)]:
        if action == "offer":
            line.offer("a", "meta", [b"%d" % offered])
            offered += 1
        elif action == "send" and line.waits:
            assert first_part(line) == {
                "v": 1,
                "kind": "message",
                "number": following,
                "skipped": 0,
            }
            assert line.head()[1:] == [b"%d" % following]
            line.sent()
            following += 1
            reached = max(reached, following)
        elif action == "acknowledge":
            assert line.acknowledge(values[0]) is (values[0] < reached)
            if values[0] < reached:
                acknowledged = max(acknowledged, values[0] + 1)
                following = max(following, acknowledged)
        elif action == "rewind":
            line.rewind()
            following = acknowledged
        assert line.kept == offered - acknowledged
        assert line.under_way == following - acknowledged
        assert line.waits is (following < offered)
    line.end()
    for number in range(following, offered + 1):
        assert first_part(line)["number"] == number
        line.sent()
    assert not line.waits
    assert not line.done
    assert line.acknowledge(offered)
    assert line.done
