"""A model that needs no network: importing it takes no torch along, so that a test's processes start soon."""

import numpy as np

from dicomnode.config.tables import ModelSetting
from dicomnode.values import DomainAnswer, Header, ModelVersion, Prediction, Segmentation, Volume

LEVEL = 2000.0


class Thresholds:
    """Stands in for the model's process: label 1 where a voxel is at least LEVEL."""

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        labels = (volume.voxels >= LEVEL).astype(np.uint8)
        probability = labels.astype(np.float16) if setting.probability else None
        return Prediction(Segmentation(labels, probability=probability), DomainAnswer(True), "cpu")
