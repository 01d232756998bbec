"""Pictures of backtests: `plot_backtest("42").figure()` in a notebook, `stoculus plot 42` in a shell.

They need matplotlib: pip install 'stoculus[plot]'.
"""

from stoculus.plot.backtest import BacktestPlot, plot_backtest

__all__ = ["BacktestPlot", "plot_backtest"]
