"""Takes the screenshots of docs/images: dashboard, report, viewer and model card of a run, and comparisons.

    python scripts/screenshots.py run runs/sample --name sample --out docs/images
    python scripts/screenshots.py page diff.html --name diff-sample --out docs/images
    python scripts/screenshots.py page report.html --name report --alone 1000x1072 --out docs/images

Each picture shows a page on a desktop and on a phone, in light and dark, or with `--alone` one light view, in at most
150 kB.  `report-predictions` is the report's page with `--scroll '#predictions' --alone 1000x800`.  With `--render`
the report of the newest finished run is written again by this version of the code.  Pages that show other people's
images (`report-examples`, `report-viewer`) are taken of the sample data alone.  Needs Chromium and the packages of
the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.browser import Browser

DESKTOP, PHONE = (1280, 860), (390, 860)
SCALES = (0.62, 0.54, 0.46, 0.4)
SCALES_ALONE = (1.0, 0.9, 0.8, 0.7)
GAP = 12
MOST_BYTES = 150_000
COLOURS = (256, 160, 96)


def main() -> None:
    """Takes the screenshots of a run, or of a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    of_run, of_page = commands.add_parser("run"), commands.add_parser("page")
    of_run.add_argument("workspace", type=Path)
    of_run.add_argument("--render", action="store_true")
    of_run.add_argument("--kinds", nargs="*", help="those alone, such as report and card")
    of_page.add_argument("file", type=Path)
    of_page.add_argument("--scroll", default="", help="a CSS selector that is scrolled to")
    for each in (of_run, of_page):
        each.add_argument("--name", default="")
        each.add_argument("--alone", type=size, metavar="WIDTHxHEIGHT", help="one light view of this size")
        each.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Browser()) as browser:
        if options.command == "page":
            url, out = options.file.absolute().as_uri(), options.out / f"{options.name}.png"
            shoot(browser, url, out, options.scroll, options.alone)
            return
        if options.render:
            render(options.workspace.absolute())
        for kind, url, scroll in pages(options.workspace.absolute()):
            if options.kinds and kind not in options.kinds:
                continue
            out = options.out / (f"{kind}-{options.name}.png" if options.name else f"{kind}.png")
            shoot(browser, url, out, scroll, options.alone)


def pages(workspace: Path) -> Iterator[tuple[str, str, str]]:
    """Yields kind, address and place of the pages of a workspace's newest run, while a dashboard serves them."""
    from pipeline.local.finished_run import newest_finished_run
    from tests.support.dashboard import HostedDashboard

    report = (newest_finished_run(workspace).report / "report.html").as_uri()
    yield "report", report, ""
    yield "report-examples", report, "#predictions"
    yield "report-viewer", f"{report}#{first_example(report)}", ""
    with HostedDashboard(workspace) as dashboard:
        yield "dashboard", f"{dashboard.url}/w/{workspace.name}/", ""
        runs = dashboard.text(f"/w/{workspace.name}/")
        key = runs.split(f'href="/w/{workspace.name}/runs/')[1].split('"')[0].split("/")[0]
        yield "dashboard-run", f"{dashboard.url}/w/{workspace.name}/runs/{key}", "#steps"
        cards = sorted((workspace / "registry" / "cards").glob("*.html"), key=lambda path: int(path.stem))
        if cards:
            yield "card", f"{dashboard.url}/w/{workspace.name}/registry/{cards[-1].stem}/card", ""


def first_example(report: str) -> str:
    """Returns the anchor of a report's first example."""
    text = Path(report.removeprefix("file://")).read_text(encoding="utf-8")
    return text.split('<article class="picture" id="')[1].split('"')[0]


def size(text: str) -> tuple[int, int]:
    """Returns a size that is written as WIDTHxHEIGHT."""
    width, height = map(int, text.split("x"))
    return width, height


def shoot(browser: Browser, url: str, out: Path, scroll: str = "", alone: tuple[int, int] | None = None) -> None:
    """Writes one picture of a page: desktop and phone, light and dark, or one light view of the size `alone`."""
    if alone:
        view = take(browser, url, alone, False, scroll)
        sheets = (scaled(view, scale) for scale in SCALES_ALONE)
    else:
        views = [take(browser, url, screen, dark, scroll) for dark in (False, True) for screen in (DESKTOP, PHONE)]
        sheets = (contact_sheet(views, scale) for scale in SCALES)
    encoded = (data for sheet in sheets for data in encodings(sheet))
    data = next(data for data in encoded if len(data) < MOST_BYTES)
    out.write_bytes(data)
    print(f"{out} {len(data) // 1000} kB")


def contact_sheet(views: Sequence[Image.Image], scale: float) -> Image.Image:
    """Returns four views, smaller, in two rows."""
    small = [scaled(view, scale) for view in views]
    width, height = small[0].width + GAP + small[1].width, small[0].height
    sheet = Image.new("RGB", (width, 2 * height + GAP), (128, 128, 128))
    for place, view in enumerate(small):
        sheet.paste(view, ((small[0].width + GAP) * (place % 2), (height + GAP) * (place // 2)))
    return sheet


def scaled(view: Image.Image, scale: float) -> Image.Image:
    """Returns a view in another size."""
    return view.resize((round(view.width * scale), round(view.height * scale)), Image.LANCZOS)


def take(browser: Browser, url: str, size: tuple[int, int], dark: bool, scroll: str) -> Image.Image:
    """Returns what a screen of a size shows of a page."""
    browser.open("about:blank")
    browser.open(url, *size, dark=dark, touch=size == PHONE)
    if scroll:
        browser.run("document.documentElement.style.scrollBehavior = 'auto'")
        browser.run(f"document.querySelector({json.dumps(scroll)}).scrollIntoView()")
    browser.run("new Promise(done => setTimeout(done, 300))")
    return Image.open(io.BytesIO(browser.picture(whole=False))).convert("RGB")


def encodings(sheet: Image.Image) -> Iterator[bytes]:
    """Yields an image as PNG with fewer and fewer colours."""
    for colours in COLOURS:
        buffer = io.BytesIO()
        sheet.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        yield buffer.getvalue()


def render(workspace: Path) -> None:
    """Writes the report of the newest finished run again, in its place."""
    from tfx.types import standard_artifacts

    from common.run_context import RunContext, run_context
    from components import component_keys as keys
    from components.artifacts import ConfusionMatrix, Lineage, Metrics, Report, Summary
    from components.report.executor import Executor
    from pipeline.local.finished_run import newest_finished_run
    from pipeline.local.run_journal import JOURNALS, RunJournal

    finished = newest_finished_run(workspace)
    inputs = {}
    for key, folder in finished.artifacts.items():
        artifact = standard_artifacts.Examples()
        artifact.uri = str(folder)
        artifact.split_names = '["train", "eval", "test"]'
        inputs[key] = [artifact]
    kinds = {
        keys.REPORT: Report,
        keys.METRICS: Metrics,
        keys.CONFUSION_MATRIX: ConfusionMatrix,
        keys.SUMMARY: Summary,
        keys.LINEAGE: Lineage,
    }
    outputs = {}
    for key, kind in kinds.items():
        made = kind()
        made.uri = str(finished.report if key == keys.REPORT else workspace / "rendered" / key)
        Path(made.uri).mkdir(parents=True, exist_ok=True)
        outputs[key] = [made]
    journals = sorted((workspace / JOURNALS).glob("*.json"))
    journal = RunJournal.model_validate_json(journals[-1].read_text()) if journals else None
    context = RunContext(journal.command, list(journal.usage)) if journal else RunContext()
    print("rendering", shlex.join(context.command))
    with run_context(context):
        Executor().Do(inputs, outputs, {keys.RUN_CONFIG: json.dumps(finished.config), keys.CODE: "rendered again"})


if __name__ == "__main__":
    main()
