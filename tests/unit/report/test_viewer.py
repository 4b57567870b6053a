"""The report's viewer as a person uses it, in headless Chromium: from a file, in Kubeflow's frame, in the dashboard."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.report import page
from components.report.data import Provenance, WorstOfClass
from pipeline.dashboard.security import DOCUMENT_POLICY
from tests.support.axe import AXE, violations
from tests.support.browser import CHROMIUM, Browser
from tests.support.serving import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH"),
]
LAYERS = "[...document.querySelectorAll('#viewer img')].filter(each => !each.hidden).map(each => each.dataset.layer)"
TITLE = "document.querySelector('#viewer h2').textContent"
FRAME = """<!doctype html><body style="margin: 0">
<iframe sandbox="allow-scripts" src="about:blank" style="border: 0; width: 100%; min-height: 600px"></iframe>
<script>document.querySelector("iframe").srcdoc = PAGE</script>"""
SCALE = "document.querySelector('#viewer output').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def text(make_report) -> str:
    """A report of three examples, of which the last one is shown only as one of a class's worst."""
    data = make_report()
    examples = [dataclasses.replace(data.worst[0], number=n, id=f"scene-{n}") for n in (4, 7, 9)]
    by_class = (WorstOfClass(1, ((examples[2], 0.1), (examples[0], 0.4))),)
    return page.render(
        dataclasses.replace(
            data,
            worst=tuple(examples[:2]),
            worst_by_class=by_class,
            provenance=Provenance("segpipe run pipeline/configs/sample.yaml", "c0ffee", 1),
        )
    )


@pytest.fixture
def report(text: str, tmp_path: Path) -> str:
    """The address of its file."""
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


def dispatch(selector: str, event: str) -> str:
    """A script that sends an event to an element."""
    return f"document.querySelector({selector!r}).dispatchEvent({event})"


def is_open(browser: Browser) -> bool:
    return bool(browser.run("document.querySelector('#viewer').open"))


def test_a_click_opens_an_example_and_escape_closes_it(browser: Browser, report: str) -> None:
    browser.open(report)
    assert not is_open(browser)
    browser.run(
        "document.querySelector('#example-7 figure svg').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert is_open(browser) and browser.run(TITLE) == "scene-7"
    assert browser.run("location.hash") == "#example-7"
    assert browser.run(LAYERS) == ["image", "prediction"]
    assert browser.run("[...document.querySelectorAll('#viewer img')].every(each => each.naturalWidth > 0)")
    browser.press("Escape")
    wait_until(lambda: not is_open(browser))
    wait_until(lambda: browser.run("location.hash") == "")  # The event "close" comes after the dialog has closed.
    assert browser.run("document.activeElement.textContent") == "scene-7"
    assert browser.complaints() == []


def test_the_keyboard_opens_steps_zooms_and_switches_layers(browser: Browser, report: str) -> None:
    browser.open(report)
    browser.run("document.querySelector('#example-4 .id a').focus()")
    browser.press("Enter")
    assert is_open(browser)
    browser.press("ArrowRight")
    assert browser.run(TITLE) == "scene-7"
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert browser.run(TITLE) == "scene-4", "after the last comes the first"
    browser.press("ArrowLeft")
    assert browser.run(TITLE) == "scene-9"
    before = browser.run(SCALE)
    for key in ("+", "2", "3", "4"):
        browser.run(
            f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))"
        )
    assert int(browser.run(SCALE).split()[0]) > int(before.split()[0])
    assert browser.run(LAYERS) == ["image", "truth", "errors"]
    browser.run("document.querySelector('#viewer input[type=range]').value = 20")
    browser.run(
        "document.querySelector('#viewer input[type=range]').dispatchEvent(new Event('input', {bubbles: true}))"
    )
    assert browser.run("document.querySelector('#viewer img[data-layer=truth]').style.opacity") == "0.2"
    browser.press("Escape")
    wait_until(lambda: not is_open(browser))
    assert browser.run("document.querySelector('#predictions details').open"), "the example that was left is seen"


def test_the_focus_stays_in_the_dialog(browser: Browser, report: str) -> None:
    browser.open(f"{report}#example-4")
    assert is_open(browser)
    for _ in range(20):
        browser.press("Tab")
        assert browser.run("document.activeElement === document.body || !!document.activeElement.closest('#viewer')")


def test_the_wheel_zooms_at_the_pointer(browser: Browser, report: str) -> None:
    browser.open(f"{report}#example-4")
    place = "JSON.stringify(document.querySelector('.viewer-canvas').style.transform)"
    before = browser.run(place)
    where = {"type": "mouseWheel", "x": 200, "y": 300, "deltaX": 0, "deltaY": -300}
    browser.send("Input.dispatchMouseEvent", **where)
    wait_until(lambda: browser.run(place) != before)
    assert int(browser.run(SCALE).split()[0]) > 0


def test_a_deep_link_opens_its_example(browser: Browser, report: str) -> None:
    browser.open(f"{report}#example-9")
    assert browser.run(TITLE) == "scene-9"
    browser.run("location.hash = '#example-4'")
    wait_until(lambda: browser.run(TITLE) == "scene-4")
    browser.run("location.hash = '#data'")
    wait_until(lambda: not is_open(browser))


@pytest.fixture
def served(text: str) -> Iterator[str]:
    """The address of the report as the dashboard sends it, and of a page that frames it as Kubeflow's does."""
    frame = FRAME.replace("PAGE", json.dumps(text).replace("</", "<\\/"))

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if self.path == "/report":
                self.send_header("Content-Security-Policy", DOCUMENT_POLICY)
            self.end_headers()
            self.wfile.write((text if self.path == "/report" else frame).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_works_under_the_policy_of_the_dashboard(browser: Browser, served: str) -> None:
    browser.open(f"{served}/report")
    assert browser.run("origin") == "null"
    browser.run("document.querySelector('#example-4 .id a').click()")
    assert is_open(browser) and browser.run("location.hash") == "#example-4"
    assert [each for each in browser.complaints() if "favicon" not in each] == []


def test_it_works_in_the_frame_of_kubeflow(browser: Browser, served: str) -> None:
    browser.open(f"{served}/frame")
    frames = "Target.getTargets"
    wait_until(lambda: any(each["type"] == "iframe" for each in browser.send(frames)["targetInfos"]))
    frame = browser.frame()
    wait_until(lambda: browser.run("document.documentElement.classList.contains('with-viewer')", frame))
    browser.run("document.querySelector('#example-4 .id a').click()", frame)
    assert browser.run("document.querySelector('#viewer').open", frame)
    browser.run("document.querySelector('#viewer button[value=next]').click()", frame)
    assert browser.run(TITLE, frame) == "scene-7"
    browser.run("document.querySelector('#viewer button[value=close]').click()", frame)
    assert not browser.run("document.querySelector('#viewer').open", frame)
    assert [each for each in browser.complaints() if "favicon" not in each] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desktop", "phone"])
@pytest.mark.parametrize("place", ["", "#example-4"], ids=["page", "viewer"])
def test_it_fits_its_screen_and_axe_finds_nothing(
    browser: Browser, report: str, place: str, width: int, height: int, dark: bool
) -> None:
    if AXE is None:
        pytest.skip("axe-core is not here: SEGPIPE_TEST_AXE names its axe.min.js")
    browser.open("about:blank")
    browser.open(report + place, width, height, dark, touch=width < 500)
    assert is_open(browser) == bool(place)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert violations(browser) == []
    assert browser.complaints() == []
