"""The line that every explanation takes: request, sample, plan, run, result."""
