"""Does the text help? Arms, seeds, budgets of labels and tasks from one plan, run cell by cell, with intervals."""
