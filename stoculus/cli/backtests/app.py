"""`stoculus backtest …`: submit, look at and change backtests at the coordinator."""

import typer

from stoculus.cli.backtests.changing import cancel, delete, pause, resume, retry
from stoculus.cli.backtests.looking import list_backtests, receipt, show, watch
from stoculus.cli.backtests.submitting import estimate, submit

app = typer.Typer(no_args_is_help=True, help="Backtests: submit, watch, list, change, and their receipts.")
app.command("submit")(submit)
app.command("estimate")(estimate)
app.command("watch")(watch)
app.command("list")(list_backtests)
app.command("show")(show)
app.command("receipt")(receipt)
app.command("pause")(pause)
app.command("resume")(resume)
app.command("cancel")(cancel)
app.command("retry")(retry)
app.command("delete")(delete)
