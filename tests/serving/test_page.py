"""The page that tries the model, as a person uses it: in headless Chromium, against a real server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.palette import class_colours
from registry.store import Registry
from serving.page import page_routes
from tests.support.browser import CHROMIUM, Browser
from tests.support.serving import CLASS_NAMES, Hosted, picture, wait_until

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")
ANSWERED = "!document.querySelector('#side').closest('.no-mask') && document.querySelector('#side').clientHeight > 0"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "scene.png").write_bytes(picture(120, 200))
    (tmp_path / "notes.png").write_bytes(b"no picture")
    noise_HWC = np.random.default_rng(0).integers(0, 256, [300, 400, 3]).astype(np.uint8)
    Image.fromarray(noise_HWC).resize((2400, 1800)).save(tmp_path / "photo.jpg")
    return tmp_path


def ask(browser: Browser, file: Path, selector: str = "#file") -> None:
    browser.choose_file(selector, file)
    wait_until(lambda: bool(browser.run(ANSWERED)) or browser.shows("#error"))


def mask_pixels(browser: Browser) -> tuple[list[int], int, int]:
    """The distinct RGBA colours on the mask's canvas, and its size."""
    return tuple(  # type: ignore[return-value]
        browser.run(
            """(() => { const c = document.querySelector('#mask');
            const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
            return [[...new Set(d)], c.width, c.height]; })()"""
        )
    )


def rgba(index: int) -> int:
    red, green, blue = map(int, class_colours(index + 1)[index])
    return red | green << 8 | blue << 16 | 255 << 24


@in_browser
def test_a_picture_is_shown_under_its_mask_with_a_legend(browser: Browser, server: Hosted, files: Path) -> None:
    browser.open(server.http)
    wait_until(lambda: browser.text("#model") == "tiny")
    assert not browser.shows("#result")
    ask(browser, files / "scene.png")
    assert browser.text("#version") == "Version 1 is served."
    assert mask_pixels(browser) == ([rgba(1)], 200, 120)
    assert browser.text("#classes").split() == ["roof", "100.0", "%"]
    assert browser.text("#absent") == "Not in it: ground, tree, wäter."
    assert browser.text("#confidence") == "100.0 %"
    assert browser.text("#size") == "200 × 120"
    assert browser.run("document.querySelector('#stage').getAttribute('aria-label')").endswith("mask: roof 100.0 %")
    assert browser.complaints() == []
    assert all(address.startswith((server.http, "blob:")) for address in browser.requested())


@in_browser
def test_opacity_classes_and_pixels_answer_to_the_keyboard_and_the_pointer(
    browser: Browser, server: Hosted, files: Path
) -> None:
    browser.open(server.http)
    ask(browser, files / "scene.png")
    assert browser.run("document.querySelector('#mask').style.opacity") == "0.6"
    browser.run("document.querySelector('#opacity').focus()")
    browser.press("ArrowLeft")
    assert browser.run("document.querySelector('#mask').style.opacity") == "0.55"
    assert browser.text("#opacity-value") == "55 %"
    browser.press("Tab")
    browser.press("Space")
    assert mask_pixels(browser)[0] == [0], "the class is hidden"
    browser.press("Space")
    assert mask_pixels(browser)[0] == [rgba(1)]
    x, y = browser.run("(() => { const b = document.querySelector('#mask').getBoundingClientRect();"
                       "return [b.left + b.width / 2, b.top + b.height / 2]; })()")  # fmt: skip
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert browser.text("#pointed") == "100, 60: roof"


@in_browser
def test_mask_and_overlay_can_be_taken_home(browser: Browser, server: Hosted, files: Path) -> None:
    browser.open(server.http)
    ask(browser, files / "scene.png")
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(files / "down"))
    for button, name in (("#download-mask", "scene.mask.png"), ("#download-overlay", "scene.overlay.png")):
        browser.run(f"document.querySelector({button!r}).click()")
        wait_until((files / "down" / name).is_file)
    mask_HW = np.asarray(Image.open(files / "down" / "scene.mask.png"))
    np.testing.assert_array_equal(mask_HW, np.ones((120, 200)))
    overlay_HWC = np.asarray(Image.open(files / "down" / "scene.overlay.png").convert("RGB")).astype(float)
    expected_HWC = 0.4 * np.asarray(Image.open(files / "scene.png")) + 0.6 * class_colours(2)[1]
    assert np.abs(overlay_HWC - expected_HWC).max() <= 2


@in_browser
def test_a_refused_file_is_told_in_the_servers_sentence(browser: Browser, server: Hosted, files: Path) -> None:
    browser.open(server.http)
    ask(browser, files / "notes.png")
    assert browser.text("#error-title") == "The server refuses this picture"
    _, document = server.predict_json(b"no picture")
    assert browser.text("#error-text") == document["error"]
    assert not browser.shows("#smaller")
    assert not browser.shows("#result")
    ask(browser, files / "scene.png")
    wait_until(lambda: not browser.shows("#error") and bool(browser.run(ANSWERED)))


@in_browser
def test_a_photo_over_the_limit_can_be_sent_smaller(browser: Browser, server: Hosted, files: Path) -> None:
    browser.open(server.http, width=390, height=844, touch=True)
    ask(browser, files / "photo.jpg", "#camera")
    assert "over the limit of 4000000 pixels" in browser.text("#error-text")
    assert browser.shows("#picture")
    browser.run("document.querySelector('#smaller').click()")
    wait_until(lambda: bool(browser.run(ANSWERED)), 120)
    assert browser.text("#size") == "1697 × 1272"
    assert not browser.shows("#error")


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, server: Hosted, files: Path, dark: bool) -> None:
    browser.open(server.http, width=360, height=740, dark=dark, touch=True)
    assert browser.shows("label[for=camera]")
    ask(browser, files / "scene.png")
    assert browser.run("document.documentElement.scrollWidth") == 360
    small = browser.run("""[...document.querySelectorAll('button, .file label, #classes label')]
        .filter((e) => e.getClientRects().length && e.getBoundingClientRect().height < 44).map((e) => e.textContent)""")
    assert small == [], "fingers need room"
    background = Image.open(io.BytesIO(browser.picture())).convert("L").getpixel((2, 2))
    assert (background < 60) == dark


@in_browser
def test_without_a_model_the_page_says_so_and_looks_again(
    browser: Browser, host: Callable[..., Hosted], registry: Registry, tmp_path: Path
) -> None:
    empty = Registry(str(tmp_path / "empty"))
    server = host(empty, until_ready=False)
    browser.open(server.http)
    wait_until(lambda: browser.text("#status") == "The server has no model yet. This page looks again by itself.")
    Path(registry.uri).rename(tmp_path / "other")
    Path(tmp_path / "other").rename(empty.uri)
    wait_until(lambda: browser.text("#model") == "tiny")
    assert browser.text("#status") == ""


@in_browser
def test_a_server_that_has_gone_is_told_and_can_be_tried_again(
    browser: Browser, host: Callable[..., Hosted], registry: Registry, files: Path
) -> None:
    with Hosted(registry) as server:
        browser.open(server.http)
        ask(browser, files / "scene.png")
        port = int(server.http.rpartition(":")[2])
    ask(browser, files / "scene.png")
    assert browser.text("#error-title") == "The server cannot be reached"
    host(registry, port=port)
    browser.run("document.querySelector('#again').click()")
    wait_until(lambda: bool(browser.run(ANSWERED)))


def test_the_page_is_whole_and_nothing_may_come_from_elsewhere(server: Hosted) -> None:
    import urllib.request

    paths = [route.path for route in page_routes()]
    assert set(paths) == {"/", "/page/page.css", "/page/page.js", "/page/icon.svg", "/page/palette.json"}
    for path in paths:
        with urllib.request.urlopen(server.http + path) as response:
            policy, text = response.headers["Content-Security-Policy"], response.read().decode()
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        if path == "/page/palette.json":
            assert len(json.loads(text)) == 255
        else:
            assert "//" not in text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")
    assert len(CLASS_NAMES) == 4
