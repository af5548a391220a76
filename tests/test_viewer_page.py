"""What the page shows: pictures that move, what was published, and what one asks for."""

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest
from selenium.webdriver import ActionChains

from pipeline.client import Subscriber
from pipeline.masks import encode
from stages.annotation.palette import track_colour
from tests.show import GATE, MARKUP
from tests.window import Seen, window


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with window(tmp_path_factory.mktemp("window")) as seen:
        yield seen


def test_pictures_move(seen: Seen) -> None:
    seen.open(None)
    for stream in (GATE, MARKUP):
        frames: set[str | None] = set()
        deadline = time.monotonic() + 10
        while len(frames) < 4 and time.monotonic() < deadline:
            frames.add(seen.canvas(stream).get_attribute("data-frame"))
        assert len(frames) == 4
        assert seen.canvas(stream).get_attribute("data-picture") == "jpeg"


def test_the_tracks_shown_are_those_published(seen: Seen) -> None:
    seen.open()
    with Subscriber(seen.endpoint, [GATE]) as subscriber:
        found = next(iter(subscriber)).instances
    assert found is not None
    tracks = " ".join(map(str, sorted(found.track_ids.tolist())))
    assert seen.canvas().get_attribute("data-tracks") == tracks
    rows = {row.get_attribute("data-track"): row.text for row in seen.all("#tracks button")}
    assert rows.keys() == {"7", "9"}, "the tentative one is drawn, and not listed"
    assert rows["7"].startswith("person 7")
    assert "93%" in rows["7"]
    assert "shape 9" in rows["9"]


def test_a_shape_is_drawn_where_its_mask_is(seen: Seen) -> None:
    """The page's masks of one frame, pixel by pixel, against the record's."""
    rng = np.random.default_rng(3)
    bits = [rng.random((h, w)) < p for h, w, p in ((9, 14, 0.5), (1, 1, 1.0), (30, 7, 0.8))]
    bits[2][:, 3] = False
    for mask in bits:
        rle = encode(mask)
        counts = rle["counts"]
        text = counts.decode() if isinstance(counts, bytes) else counts
        script = """
            const { decode } = await import("./rle.js");
            const { outline } = await import("./outline.js");
            const { size, counts } = mask;
            const { bits, stride } = decode({ size, counts });
            const path = outline({ size, counts, origin: [20, 10] });
            const context = document.createElement("canvas").getContext("2d");
            const [decoded, drawn] = [[], []];
            for (let y = 0; y < size[0]; y++) for (let x = 0; x < size[1]; x++) {
                decoded.push(bits[(y + 1) * stride + x + 1]);
                drawn.push(context.isPointInPath(path, x + 20.5, y + 10.5, "evenodd") ? 1 : 0);
            }
            return [decoded, drawn];"""
        given = json.dumps({"size": list(mask.shape), "counts": text})
        decoded, drawn = seen.ask(f"const mask = {given}; {script}")
        assert decoded == mask.astype(int).ravel().tolist()
        assert drawn == decoded


def test_colours_are_those_of_the_annotated_video(seen: Seen) -> None:
    script = """
        const { trackColour, textColour } = await import("./palette.js");
        const tracks = [null, ...Array(2000).keys()];
        return tracks.map((track) => trackColour(track));"""
    expected = [track_colour(track)[::-1] for track in range(-1, 2000)]
    assert [tuple(colour) for colour in seen.ask(script)] == expected


@pytest.mark.parametrize(("layer", "key"), [("masks", "m"), ("boxes", "b"), ("labels", "l")])
def test_switches_change_the_picture(seen: Seen, layer: str, key: str) -> None:
    seen.open()
    seen.press("m", "l", "t")  # all off
    seen.wait(lambda: seen.colours() == 0, "something is drawn with all switched off")
    button = seen.one(f"[data-layer={layer}]")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    seen.wait(lambda: seen.colours() > 100, f"{layer} are not drawn")
    seen.press(key)
    assert button.get_attribute("aria-pressed") == "false"
    seen.wait(lambda: seen.colours() == 0, f"{layer} stay")


def test_trails_grow(seen: Seen) -> None:
    seen.open()
    seen.press("m", "l")
    seen.wait(lambda: seen.colours() > 100, "there are no trails")


def test_switches_are_remembered(seen: Seen) -> None:
    seen.open()
    seen.press("b")
    seen.page.refresh()
    assert seen.one("[data-layer=boxes]").get_attribute("aria-pressed") == "true"


def test_a_track_under_the_pointer_is_highlighted(seen: Seen) -> None:
    seen.open()
    seen.press("m", "l", "t")
    row = seen.one("#tracks button[data-track='7']")
    seen.wait(lambda: seen.colours() == 0, "something is drawn")
    ActionChains(seen.page).move_to_element(row).perform()
    seen.wait(lambda: seen.colours() > 500, "the track is not highlighted in the picture")
    assert "lit" in (row.get_attribute("class") or "")
    ActionChains(seen.page).move_to_element(seen.one("h1")).perform()
    seen.wait(lambda: seen.colours() == 0, "it stays highlighted")


def test_a_thing_in_the_picture_highlights_its_row(seen: Seen) -> None:
    seen.open()
    canvas = seen.canvas()
    pointing = ActionChains(seen.page)

    def lit() -> bool:
        for x in range(-4, 5):
            offset = int(x * canvas.size["width"] / 10)
            pointing.move_to_element_with_offset(canvas, offset, 20).perform()
            if seen.all("#tracks button.lit"):
                return True
        return False

    seen.wait(lit, "no row is highlighted wherever the pointer is")


def test_who_comes_again_keeps_the_bar_of_before(seen: Seen) -> None:
    """The page's time line of a track that was there twice, and of one that came as it left."""
    seen.open()
    script = """
        const { Lanes } = await import("./lanes.js");
        const now = Date.now(), s = (ago) => now - 1000 * ago;
        const track = (track, label) => ({ stream: "a", epoch: 0, track, label });
        const events = [
            { what: "appeared", t: s(100), ...track(7, "person") },
            { what: "left", t: s(75), seen: s(80), lasted: 20000, ...track(7, "person") },
            { what: "appeared", t: s(80), ...track(9, "shape") },
            { what: "left", t: s(55), seen: s(60), lasted: 20000, ...track(9, "shape") },
            { what: "appeared", t: s(40), ...track(7, "person") },
        ];
        const hovered = [], titles = [];
        const highlight = { lit: null, hover: (key) => hovered.push(key) };
        const lanes = new Lanes({ now: () => now, events, tracks: new Map() }, highlight);
        await new Promise((resolve) => setTimeout(resolve, 200));
        lanes.update(["a"]);
        const canvas = document.getElementById("lanes");
        const { left, top, width } = canvas.getBoundingClientRect();
        for (const ago of [90, 70, 50, 20]) {
            const [clientX, clientY] = [left + width * (1 - ago / 120), top + 8];
            canvas.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY }));
            titles.push(canvas.title);
        }
        return [hovered, titles];"""
    hovered, titles = seen.ask(script)
    assert hovered == ["a/0/7", "a/0/9", None, "a/0/7"]
    assert titles == ["person 7, a", "shape 9, a", "", "person 7, a"]


def test_numbers_and_events_are_told(seen: Seen) -> None:
    seen.open(None)
    seen.wait(lambda: "stale" in seen.one("#charts").text, "no drops by reason")
    row = seen.one(f"#streams tr[data-stream='{GATE}']")
    seen.wait(lambda: " ms" in row.text and "live" in row.text, "no age in the table")
    assert "person 7 appeared" in seen.one("#log").text
    drawn = "return [...document.querySelectorAll('.chart canvas, #lanes')].map((c) => c.width)"
    assert min(seen.page.execute_script(drawn)) > 100
