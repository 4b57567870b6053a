"""The docs as a site: no dead link, every page in the navigation, and nothing fetched from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

FROM_OUTSIDE = (
    "README.md",
    "docs/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "k8s/README.md",
    "k8s/serving/README.md",
    "tests/support/README.md",
)

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install -e '.[docs]'")


def build(folder: Path, project: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "-f", str(project / "mkdocs.yml"), "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).with_suffix(".html") for path in docs.rglob("*.md") if path.name != "README.md"}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert pages | {Path("index.html"), Path("k8s.html"), Path("contributing.html")} <= built


def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    fetched = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc="?(https?:)?//|<link[^>]*rel="?(?:stylesheet|preconnect)"?[^>]*href="?(https?:)?//"""
    )
    for page in site.rglob("*.html"):
        assert not fetched.search(page.read_text(encoding="utf-8")), page


def test_blocks_tables_and_lists_are_rendered_as_such(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = re.sub(
            r"<pre.*?</pre>|<code.*?</code>|<script.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        left = re.search(r"```|\n\| |\| ---|<p>\d\. |<p>[^<]*\n(- |\d\. )", text)
        assert not left, f"{page.name}: {text[left.start() - 80 : left.end() + 80]}"


def test_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    for name in (*FROM_OUTSIDE, "docs/page.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(
            "# Page\n\n[source](mkdocs.yml)\n" if name == "README.md" else "# Page\n", encoding="utf-8"
        )
    hook = json.dumps(f"{ROOT}/scripts/docs_site.py")  # Quoted: the path may have brackets.
    config = f"site_name: test\nstrict: true\ntheme: mkdocs\nplugins: []\nhooks: [{hook}]\n"
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    assert build(tmp_path / "site", tmp_path).returncode == 0
    (tmp_path / "docs/page.md").write_text("# Page\n\n[gone](../pipeline/gone.py)\n", encoding="utf-8")
    done = build(tmp_path / "site", tmp_path)
    assert done.returncode != 0
    assert "docs/page.md links to pipeline/gone.py, which does not exist" in done.stdout + done.stderr
