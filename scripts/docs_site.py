"""Hook of the docs site: pages from outside docs/, and links that work on GitHub and in the site.

The Markdown files link to each other and to sources by relative paths, as GitHub reads them. In the site a link to a
page leads there, and a link to any other file of the project becomes its text with the path.
"""

from __future__ import annotations

import posixpath
import re
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = "docs"
FROM_OUTSIDE = {
    "README.md": "index.md",
    "docs/README.md": "pages.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "k8s/README.md": "k8s.md",
    "k8s/serving/README.md": "k8s-serving.md",
    "tests/support/README.md": "test-support.md",
}
"""File of the project → name of its page; every Markdown file in docs/ is a page by itself."""

_SOURCES = {page: source for source, page in FROM_OUTSIDE.items()}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^ *```")
_log = get_plugin_logger("docs_site")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages from outside docs/."""
    readme = files.get_file_from_path("README.md")
    if readme:
        files.remove(readme)
    for source, page in FROM_OUTSIDE.items():
        files.append(File.generated(config, page, content=(_root(config) / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites the links of a page."""
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["toc", "navigation"]  # README is the front page, as wide as it is on GitHub.
    pages = {file.src_uri for file in files}
    rewrite = partial(_rewritten, page=page.file.src_uri, pages=pages, root=_root(config))
    lines, in_code = [], False
    for line in markdown.split("\n"):
        if _FENCE.match(line):
            in_code = not in_code
        lines.append(line if in_code else _LINK.sub(rewrite, line))
    return "\n".join(lines)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).resolve().parent


def _rewritten(link: re.Match[str], page: str, pages: set[str], root: Path) -> str:
    mark, text, address = link.groups()
    target, hash_sign, anchor = address.partition("#")
    if not target or re.match(r"[a-z]+:", address):
        return link.group()
    source = _SOURCES.get(page, f"{DOCS}/{page}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    in_site = FROM_OUTSIDE.get(path, path.removeprefix(f"{DOCS}/"))
    if in_site in pages and (path in FROM_OUTSIDE or path.startswith(f"{DOCS}/")):
        shown = posixpath.relpath(in_site, posixpath.dirname(page) or ".")
        return f"{mark}[{text}]({shown}{hash_sign}{anchor})"
    if not (root / path).exists():
        _log.warning(f"{source} links to {path}, which does not exist")
    return text if path in text or path == text.strip("`") else f"{text} (`{path}`)"
