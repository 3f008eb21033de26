"""Whatever a sender writes into a header, a model says yes or no with a reason."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from dicomnode.choose.series import choose_series
from dicomnode.values import Header, Series
from tests.phantom import ct_series, dx_image, enhanced, study_of
from tests.unit.choose.model_rules import rules

STUDY = study_of([*ct_series(slices=3), *ct_series(slices=4, name="b"), enhanced(ct_series(slices=3)), dx_image()])
STACK = rules(
    rank=["thinnest", "most_slices", "kernel", "newest"], kernels=["a"], geometry={"max_extent_mm": (80, 80, 80)}
)
IMAGE = rules(dimensions=2, modalities=["CT", "DX"], domain={"views": ["AP"]})
NONSENSE = st.sampled_from(
    ["x", "\\", "nan", "inf", "-1", "0", "1e999", "1e30", r"1\2\3", r"0\0\0\0\0\0", r"1\0\0\0\1\0", "²", "١", "5"]
)
KEYWORDS = st.sampled_from(sorted({k for s in STUDY.series for i in s.instances for k in i.header.values}))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), KEYWORDS, NONSENSE), max_size=6))
def test_every_series_gets_a_verdict_with_a_reason(changes: list[tuple[int, int, str, str]]) -> None:
    series = list(STUDY.series)
    for which, image, keyword, text in changes:
        instances = list(series[which].instances)
        old = instances[image % len(instances)]
        header = Header({**old.header.values, keyword: text})
        instances[image % len(instances)] = dataclasses.replace(old, header=header)
        series[which] = Series(series[which].series_uid, tuple(instances))

    for model in (STACK, IMAGE):
        choice = choose_series(dataclasses.replace(STUDY, series=tuple(series)), model)

        assert len(choice.verdicts) == 4
        assert all(verdict.reasons for verdict in choice.verdicts)
        assert sum(verdict.taken for verdict in choice.verdicts) == (choice.series is not None)
