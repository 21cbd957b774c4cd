"""Few-label linear probe: how much of the findings can be read off frozen features?

For every finding a logistic regression on the standardised ``features`` of the labelled cases, scored by AUROC on
the test cases; the mean over findings that occur and are absent in both. Labelled subsets are drawn from a seed and
are the same for every set of features that is compared.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def read_cases(datalist_file: Path, split: str, features_dir: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features (N, C) and findings (N, F) of one list."""
    items = json.loads(datalist_file.read_text())[split]
    features = np.stack([load_file(features_dir / f"{item['case_id']}.safetensors")["features"] for item in items])
    names = sorted(items[0]["findings"])
    findings = np.array([[item["findings"][name] for name in names] for item in items])
    return features, findings, names


def probe(datalist_file: Path, features_dir: Path, *, labels: tuple[int, ...], draws: int = 10) -> dict[str, float]:
    """Mean AUROC over findings and draws for each number of labelled cases (more than there are: all of them)."""
    train, train_findings, _ = read_cases(datalist_file, "training", features_dir)
    test, test_findings, names = read_cases(datalist_file, "test", features_dir)
    result = {}
    for count in labels:
        count = min(count, len(train))
        scores = []
        for draw in range(1 if count == len(train) else draws):
            chosen = np.random.default_rng(draw).permutation(len(train))[:count]
            for finding in range(len(names)):
                known, asked = train_findings[chosen, finding], test_findings[:, finding]
                if len(set(known)) < 2 or len(set(asked)) < 2:
                    continue
                model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model.fit(train[chosen], known)
                scores.append(roc_auc_score(asked, model.predict_proba(test)[:, 1]))
        result[str(count)] = float(np.mean(scores))
    return result
