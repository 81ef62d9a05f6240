"""Reports on an experiment: what its database holds, as tables, as figures, and as one page with both."""
