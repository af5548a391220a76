"""The page by keyboard, for a screen reader, in dark and light, and on a phone."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Keys

from tests.show import GATE, MARKUP
from tests.window import Seen, window


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with window(tmp_path_factory.mktemp("window")) as seen:
        yield seen


def test_tracks_by_keyboard(seen: Seen) -> None:
    seen.open()
    seen.one("#tracks button").send_keys(Keys.ARROW_DOWN)
    focused = seen.page.switch_to.active_element
    assert focused.get_attribute("data-track") == "9"
    assert "lit" in (focused.get_attribute("class") or "")
    focused.send_keys(Keys.ENTER)
    assert focused.get_attribute("aria-pressed") == "true"
    seen.one("#layers button").send_keys("")
    assert "lit" in (focused.get_attribute("class") or ""), "a kept one stays"
    focused.send_keys(Keys.ENTER)
    assert focused.get_attribute("aria-pressed") == "false"


def test_one_stream_large_and_back_by_keyboard(seen: Seen) -> None:
    seen.open(None)
    assert len([tile for tile in seen.all(".tile") if tile.is_displayed()]) == 2
    small = seen.canvas().size["width"]
    seen.one(f".tile[data-stream='{GATE}'] .open").send_keys(Keys.ENTER)
    seen.wait(lambda: seen.canvas().size["width"] > small * 1.5, "it is not large")
    assert seen.page.current_url.endswith(f"#stream={GATE}")
    seen.press(Keys.ARROW_RIGHT)
    seen.wait(lambda: seen.canvas(MARKUP).is_displayed(), "the next one is not there")
    assert not seen.canvas().is_displayed()
    seen.press(Keys.ESCAPE)
    seen.wait(lambda: seen.canvas().is_displayed(), "the others are not there")
    seen.press("1")
    seen.wait(lambda: not seen.canvas(MARKUP).is_displayed(), "1 is not the first stream")
    seen.page.back()
    seen.wait(lambda: seen.canvas(MARKUP).is_displayed(), "back does not go back")


def test_keys_take_nothing_that_they_do_not_use(seen: Seen) -> None:
    seen.open(None)
    masks = seen.one("[data-layer=masks]")
    seen.press("M")  # Caps Lock
    assert masks.get_attribute("aria-pressed") == "false"
    script = """
        const pressed = (key) => {
            const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
            document.querySelector(".scroll").dispatchEvent(event);
            return event.defaultPrevented;
        };
        return ["ArrowRight", "ArrowDown", "x", "m"].map(pressed);"""
    assert seen.ask(script) == [False, False, False, True], "the table cannot be scrolled"


def test_every_control_has_a_name_and_a_place(seen: Seen) -> None:
    seen.open(None)
    controls = [control for control in seen.all("button, input, a") if control.is_displayed()]
    assert len(controls) > 10
    assert [control.text for control in controls if not control.accessible_name] == []
    seen.press("?")
    seen.wait(lambda: seen.one("#keys").is_displayed(), "the keys are not shown")
    assert seen.one("#keys").accessible_name == "Keys"
    assert seen.page.switch_to.active_element.accessible_name == "Close"
    seen.press(Keys.ESCAPE)
    page = seen.page.execute_script("""return {
        headings: [...document.querySelectorAll('h1,h2')].filter((h) => h.checkVisibility()).length,
        live: document.querySelectorAll('[role=status]').length,
        main: document.querySelectorAll('main').length,
        ids: [...document.querySelectorAll('[id]')].map((e) => e.id),
        labelled: [...document.querySelectorAll('[aria-labelledby]')]
            .map((e) => e.getAttribute('aria-labelledby')),
        pictures: [...document.querySelectorAll('canvas')]
            .every((c) => c.ariaHidden === 'true' || c.ariaLabel),
        language: document.documentElement.lang}""")
    assert page["headings"] >= 7
    assert (page["live"], page["main"], page["language"]) == (2, 1, "en")
    assert len(page["ids"]) == len(set(page["ids"]))
    assert set(page["labelled"]) <= set(page["ids"])
    assert page["pictures"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_readable(seen: Seen, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG AA) for all pairs of ink and ground in use."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    seen.page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    script = """
        const style = getComputedStyle(document.documentElement);
        const context = document.createElement("canvas").getContext("2d");
        const luminance = (name) => {
            context.fillStyle = style.getPropertyValue(name);
            context.fillRect(0, 0, 1, 1);
            const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
            return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        };
        return arguments[0].map(([ink, ground]) => {
            const [a, b] = [luminance(ink), luminance(ground)].sort();
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        });"""
    grounds = ("--ground", "--surface")
    pairs = [(ink, ground) for ink in ("--ink", "--quiet", "--accent") for ground in grounds]
    pairs += [("--bad", "--bad-ground"), ("--warn", "--surface"), ("--bad", "--surface")]
    pairs += [("--ink", "--accent-ground")]
    ratios = seen.page.execute_script(script, pairs)
    seen.page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert [pair for pair, ratio in zip(pairs, ratios, strict=True) if ratio < 4.5] == []


def test_it_fits_on_a_phone(seen: Seen) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    seen.page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for stream in (None, GATE):
            seen.open(stream)
            assert seen.page.execute_script("return document.documentElement.scrollWidth") <= 360
            low = "return [...document.querySelectorAll('#layers button')].map((b) => b.offsetTop)"
            assert len(set(seen.page.execute_script(low))) == 1, "the switches stay in one line"
    finally:
        seen.page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
