"""The report as Kubeflow's dashboard shows it: in a frame whose sandbox allows scripts and nothing else.

The frame is that of `HTMLViewer` (frontend/src/components/viewers/HTMLViewer.tsx of Kubeflow Pipelines 2.17.0): it is
empty at first, the page is put into its `srcdoc`, and its origin is no other's, since "allow-same-origin" is not given.
"""

from __future__ import annotations

import http.server
import io
import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from components.report import page
from pipeline.kubeflow.pod.launcher import make_single_files
from tests.support.browser import CHROMIUM, Browser
from tests.support.serving import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH"),
]
HEIGHT = 600  # The frame's least one; the dashboard gives it no other.
DASHBOARD = """<!doctype html><body style="margin: 0">
<iframe src="about:blank" style="border: 0; width: 100%; min-height: HEIGHTpx"></iframe>
<script>
  const frame = document.querySelector("iframe");
  if (SANDBOX !== null) frame.setAttribute("sandbox", SANDBOX);
  window.show = (page) => { frame.srcdoc = page; };
</script>""".replace("HEIGHT", str(HEIGHT))
DRAWN = """(async () => {
  const drawn = (each) => each.getBoundingClientRect().width > 0 && each.getBoundingClientRect().height > 0;
  const shown = (each) => each.closest("details:not([open])") === null && each.closest("dialog:not([open])") === null;
  const views = [...document.querySelectorAll("svg.view use")].filter(shown);
  const charts = [...document.querySelectorAll("svg:not(.defs, .view)")].filter(shown);
  const decodes = async (use) => {
    const image = new Image();
    image.src = document.querySelector(use.getAttribute("href")).getAttribute("href");
    return image.decode().then(() => true, () => false);
  };
  const decoded = await Promise.all(views.map(decodes));
  return {
    images: views.length, absent: views.filter((each, n) => !decoded[n] || !drawn(each)).length,
    charts: charts.length, empty: charts.filter((each) => !drawn(each) || !each.children.length).length,
  };
})()"""


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """The address of a page with a frame for reports."""

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sandbox = self.path.partition("?")[2]
            value = {"scripts": '"allow-scripts"', "nothing": '""'}.get(sandbox, "null")
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(DASHBOARD.replace("SANDBOX", value).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def report(make_report, tmp_path) -> str:
    """The page as it lies in the bucket after the step has ended."""
    data = make_report()
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / page.REPORT_FILE).write_text(page.render(data))
    artifact = {"uri": str(folder), "type": {"schemaTitle": "system.HTML"}}
    make_single_files({"outputs": {"artifacts": {"report": {"artifacts": [artifact]}}}})
    return folder.read_text()


def show(browser: Browser, dashboard: str, report: str, sandbox: str = "scripts") -> str:
    """Opens the dashboard with the report; the frame."""
    browser.open(f"{dashboard}?{sandbox}", height=HEIGHT)
    browser.run(f"show({json.dumps(report)})")
    wait_until(lambda: "Blessed" in text(browser))
    return browser.frame()


def text(browser: Browser) -> str:
    """What the frame shows as text, once it has an origin of its own."""
    frames = [each for each in browser.send("Target.getTargets")["targetInfos"] if each["type"] == "iframe"]
    return str(browser.run("document.body?.innerText ?? ''", browser.frame())) if frames else ""


def image(browser: Browser) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(browser.picture(whole=False))).convert("RGB"))


def test_charts_and_images_are_drawn(browser, dashboard, report):
    frame = show(browser, dashboard, report)
    assert browser.run("origin", frame) == "null"
    assert browser.run("document.querySelector('iframe').contentDocument") is None
    drawn = browser.run(DRAWN, frame)
    assert drawn["images"] >= 4 and drawn["charts"] >= 5
    assert drawn["absent"] == drawn["empty"] == 0
    assert not [complaint for complaint in browser.complaints() if "favicon" not in complaint]


def test_needs_no_script(browser, dashboard, report):
    show(browser, dashboard, report)
    as_shown = image(browser)
    assert len(np.unique(as_shown.reshape(-1, 3), axis=0)) > 50
    show(browser, dashboard, report, sandbox="nothing")
    assert (image(browser) == as_shown).all()


def test_a_link_to_a_part_of_the_page_goes_there(browser, dashboard, report):
    frame = show(browser, dashboard, report)
    assert browser.run("scrollY", frame) == 0
    browser.run("document.querySelector('a[href=\"#configuration\"]').click()", frame)
    wait_until(lambda: browser.run("scrollY", frame) > HEIGHT)  # It scrolls smoothly.
    assert "Blessed" in text(browser)


def test_a_link_to_a_part_goes_there_in_a_downloaded_copy_too(browser, report, tmp_path):
    copy = tmp_path / "copy.html"
    copy.write_text(report)
    browser.open(copy.as_uri(), height=HEIGHT)
    browser.run("document.querySelector('a[href=\"#configuration\"]').click()")
    wait_until(lambda: browser.run("scrollY") > HEIGHT)
    assert browser.run("location.href") == f"{copy.as_uri()}#configuration"


def test_what_is_folded_opens(browser, dashboard, report):
    frame = show(browser, dashboard, report)
    browser.run("document.querySelector('#configuration summary').click()", frame)
    assert browser.run("document.querySelector('#configuration details').open", frame)
