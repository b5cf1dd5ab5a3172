"""Set-ups that only report: no rule of ``sweeper predict`` was chosen on them."""
