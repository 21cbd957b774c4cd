"""A synthetic torso CT cohort with labels, findings and reports; `phantoms` writes one."""

from t3d.phantoms.cohort import phantoms

__all__ = ["phantoms"]
