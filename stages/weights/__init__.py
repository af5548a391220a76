"""Where weights come from: names, addresses, the cache. No torch: a wrong name is told at once."""
