"""Data, training, evaluation and calibration of the chest radiograph bundle."""
