"""Free report text: clean it, choose its sections, split it into sentences, without losing a word."""

from t3d.reports.clean import clean_report
from t3d.reports.sections import SECTIONS, select_sections
from t3d.reports.sentences import split_sentences

__all__ = ["SECTIONS", "clean_report", "select_sections", "split_sentences"]
