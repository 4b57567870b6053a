"""CLI command that shows a version's model card."""

from __future__ import annotations

from pathlib import Path

import click

from common.errors import UserError
from pipeline.cli.options import handle_errors, registry_option, registry_uri
from pipeline.cli.output_file import check_writable, write_file
from registry.cards import FORMS, CardForm


@click.command()
@click.argument("version", type=click.IntRange(min=1), required=False)
@registry_option
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="md", show_default=True, help="Page, JSON or Markdown."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [default: standard output]"
)
@handle_errors
def card(version: int | None, registry: str | None, form: CardForm, out: Path | None) -> None:
    """Show the model card of VERSION, by default of the served one: uses, limits, data, figures and licences.

    JSON has the fields of the Model Card Toolkit, Markdown the metadata of Hugging Face's Hub.

    \b
    Example:
      segpipe card 3 --registry runs/sample/registry --format html --out card.html
    """
    text = _read(registry_uri(registry), version, form)
    if out is None:
        click.echo(text)
        return
    check_writable(out)
    write_file(out, text)
    click.echo(f"wrote {out}")


def _read(uri: str, version: int | None, form: CardForm) -> str:
    """Returns the card of `version`, or of the served version.

    Raises:
        UserError: there is no such version, none is served, or it has no card.
    """
    from registry.store import Registry, no_registry

    registry = Registry(uri)
    wanted = registry.served() if version is None else version
    if wanted is None:
        raise no_registry(uri)
    text = registry.card(wanted, form)
    if text is None:
        raise UserError(
            f"version {wanted} was pushed without a model card; the next `segpipe run` that pushes a version writes one"
        )
    return text
