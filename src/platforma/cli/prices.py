"""`platforma price`."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from platforma.billing.schemas import PriceBookOut
from platforma.cli.console import Json, Reason, acting, fail, run, show, show_table
from platforma.operator import prices as service
from platforma.operator.schemas import PriceBookCreate
from platforma.tenants.service import find_portal_id

app = typer.Typer(help="Prices: what a portal's tenants pay for what they use.", no_args_is_help=True)

PortalName = Annotated[str, typer.Argument(help="The portal's short name.")]


@app.command("set")
def set_prices(
    portal: PortalName,
    file: Annotated[
        Path, typer.Argument(help="A price book as JSON; see docs/billing.md.", exists=True, dir_okay=False)
    ],
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Set the prices of a portal from now or a later moment on. What was used before keeps its price."""
    try:
        wanted = PriceBookCreate.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"{file}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}")

    async def work() -> PriceBookOut:
        async with acting(reason) as operator:
            portal_id = await find_portal_id(operator.database, portal)
            return PriceBookOut.of(await service.create_price_book(operator, portal_id, wanted))

    made = run(work())
    words = f"{len(made.prices)} prices in {made.currency} from {made.effective_from:%Y-%m-%d %H:%M} UTC on."
    show(made.model_dump(mode="json"), as_json, words)


@app.command("list")
def list_prices(portal: PortalName, as_json: Json = False) -> None:
    """List the prices of a portal, the newest first."""

    async def work() -> list[dict[str, object]]:
        async with acting(None) as operator:
            portal_id = await find_portal_id(operator.database, portal)
            books = await service.list_price_books(operator, portal_id)
        return [
            {
                "from": book.begins,
                "item": price.item,
                "label": price.label,
                "amount": price.amount,
                "currency": book.currency,
                "per": price.unit,
                "free_units": price.free_units,
            }
            for book in books
            for price in book.prices
        ]

    columns = ["from", "item", "label", "amount", "currency", "per", "free_units"]
    show_table(run(work()), columns, as_json, "No prices yet: platforma price set")
