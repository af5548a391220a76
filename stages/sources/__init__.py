"""Where frames come from: what ``stages.decode`` can open. No other stage imports this."""
