"""How sure a finding is, in figures: its calibrated probability, and the threshold that decides."""

from collections.abc import Iterator

from highdicom.sr import Measurement, MeasurementProperties

from dicomnode.encode import concepts


def certainty(probability: float, uncertainty: float | None, threshold: float) -> Iterator[Measurement]:
    """Probability with its spread (one standard deviation), and decision threshold (TID 300, 310)."""
    spread = None if uncertainty is None else round(uncertainty, 4)
    properties = spread and MeasurementProperties(
        upper_measurement_uncertainty=spread, lower_measurement_uncertainty=spread
    )
    yield Measurement(concepts.PROBABILITY, round(probability, 4), concepts.NO_UNITS, properties=properties or None)
    yield Measurement(concepts.DECISION_THRESHOLD, round(threshold, 4), concepts.NO_UNITS)
