"""`t3d check`: what is wrong with a cohort, found and said before anything is trained."""
