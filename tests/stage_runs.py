"""One encoder through the stages of the three bundles, tiny: pre-trained, then segmenting and classifying."""

import classification_runs
import pretrain_runs
import segmentation_runs


def pretrained(cohort, folder, **settings):
    """A pre-training with its features of the test cases, in ``features``."""
    pretrain_runs.run(("train", "demo"), cohort, folder, max_epochs=1, val_interval=9, **settings)
    pretrain_runs.infer(cohort, folder, output_dir=str(folder / "features"), save_map=True)
    return folder


def segmented(few, encoder, folder, *, crop_size, **settings):
    """Fine-tuned from that encoder, which rests; evaluated, which is not told the settings again."""
    options = {"encoder_weights": str(encoder / "models" / "encoder.safetensors"), "freeze_epochs": 9}
    options |= {"layer_decay": 0.8, "use_checkpoint": True, "crop_size": crop_size, "max_epochs": 1}
    segmentation_runs.run(segmentation_runs.NAMES, few, folder, **settings, **options)
    segmentation_runs.run(("train", "evaluate"), few, folder, overlap=0.25, num_workers=0)
    return folder


def classified(cohort, encoder, folder, **settings):
    """The same for classification, with predictions of the test cases in ``out``."""
    options = {"encoder_weights": str(encoder / "models" / "encoder.pt"), "freeze_epochs": 9, "max_epochs": 1}
    classification_runs.run(classification_runs.NAMES, cohort, folder, **settings, **options)
    classification_runs.infer(cohort, folder, output_dir=str(folder / "out"))
    return folder
