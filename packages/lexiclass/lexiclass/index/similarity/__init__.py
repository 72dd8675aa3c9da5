"""Documents that are like others."""
