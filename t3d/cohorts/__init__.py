"""Published cohorts and tables of one's own as datalists; one file per cohort, nothing is downloaded."""
