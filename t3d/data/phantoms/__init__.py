"""A synthetic torso CT cohort with labels, findings and reports; `phantoms` writes one."""

