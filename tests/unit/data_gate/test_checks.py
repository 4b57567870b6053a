from __future__ import annotations

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.data_gate import checks
from components.data_gate.config import ValidationConfig
from components.example_gen.quarantine import QuarantineCause, Quarantined, Reason
from tests.support.measured import Look


def test_a_good_batch_passes_every_check(train, alike, schema, summary):
    findings = [
        *checks.check_size(summary, min_pairs=30),
        *checks.check_quarantine(summary, max_quarantined=0.05),
        *checks.check_classes(summary, ValidationConfig()),
        *checks.check_schema({split: tfdv.validate_statistics(train, schema) for split in ("train", "eval")}),
        *checks.check_drift(train, schema, previous=alike, against="c0ffee"),
        *checks.check_skew(train, {"eval": alike}, schema),
    ]
    assert [finding.detail for finding in findings if not finding.passed] == []
    assert {finding.check for finding in findings} == {"size", "quarantine", "classes", "schema", "drift", "skew"}


def test_a_class_that_the_schema_does_not_know_is_named(train, schema):
    narrower = schema_pb2.Schema()
    narrower.CopyFrom(schema)
    del narrower.string_domain[0].value[2]
    findings = checks.check_schema({"eval": tfdv.validate_statistics(train, narrower)})
    assert [(finding.split, finding.feature, finding.passed) for finding in findings] == [
        ("eval", "mask/classes", False)
    ]
    assert "debris" in findings[0].detail and "eval" in findings[0].detail


def test_a_value_out_of_range_is_named_with_its_figure(train, schema):
    brighter = schema_pb2.Schema()
    brighter.CopyFrom(schema)
    next(feature for feature in brighter.feature if feature.name == "image/brightness").float_domain.min = 0.9
    (finding,) = checks.check_schema({"train": tfdv.validate_statistics(train, brighter)})
    assert finding.feature == "image/brightness" and not finding.passed
    assert "0.9" in finding.detail


def test_a_column_that_the_schema_does_not_know_is_named(train, schema):
    without = schema_pb2.Schema(feature=[feature for feature in schema.feature if feature.name != "slice/stain"])
    without.string_domain.extend(schema.string_domain)
    (finding,) = checks.check_schema({"train": tfdv.validate_statistics(train, without)})
    assert finding.feature == "slice/stain" and not finding.passed


def test_a_split_without_data_fails_the_schema_check():
    (finding,) = checks.check_schema({"test": anomalies_pb2.Anomalies(data_missing=True)})
    assert not finding.passed and finding.detail == "test has no data"


def test_half_the_light_is_drift_with_feature_and_figure(train, dark, schema):
    worst = checks.check_drift(dark, schema, previous=train, against="c0ffee" * 4)[0]
    assert (worst.check, worst.passed) == ("drift", False)
    brightness = next(
        finding
        for finding in checks.check_drift(dark, schema, train, "f" * 64)
        if finding.feature == "image/brightness"
    )
    assert not brightness.passed
    assert "image/brightness drifted since data ffffffffffff: Jensen–Shannon divergence 0." in brightness.detail
    assert "over the schema's threshold 0.2 (mean 0.484 → 0.247)" in brightness.detail


def test_without_data_let_through_before_there_is_no_drift_and_the_finding_says_so(train, schema):
    (finding,) = checks.check_drift(train, schema, previous=None, against=None)
    assert finding.passed and "no data was accepted before" in finding.detail


def test_a_split_with_half_the_light_is_skew_and_the_other_split_is_not(train, alike, dark, schema):
    findings = checks.check_skew(train, {"eval": alike, "test": dark}, schema)
    failed = {(finding.split, finding.feature) for finding in findings if not finding.passed}
    assert ("test", "image/brightness") in failed
    assert all(split == "test" for split, _ in failed)


def test_a_class_that_one_split_lacks_is_named_with_its_shares(train, measured, schema):
    findings = checks.check_skew(train, {"test": measured(60, seed=4, look=Look(debris=0.0))}, schema)
    classes = next(finding for finding in findings if finding.feature == "mask/classes")
    assert not classes.passed
    assert "mask/classes differs between train and test: L-infinity distance" in classes.detail
    assert "'debris'" in classes.detail and "→ 0.0%" in classes.detail


def test_a_slice_value_that_takes_over_is_skew(train, measured, schema):
    findings = checks.check_skew(train, {"eval": measured(40, seed=5, look=Look(stain="red"))}, schema)
    stain = next(finding for finding in findings if finding.feature == "slice/stain")
    assert not stain.passed and "L-infinity distance 1" in stain.detail


def test_the_largest_figures_come_first(train, dark, schema):
    findings = checks.check_skew(train, {"eval": dark}, schema)
    assert [finding.passed for finding in findings] == sorted(finding.passed for finding in findings)


def test_a_handful_of_pictures_does_not_fail_by_chance(train, measured, schema):
    for seed in range(10, 13):
        findings = checks.check_skew(train, {"eval": measured(5, seed)}, schema)
        assert [finding.detail for finding in findings if not finding.passed] == []


def test_what_is_over_the_threshold_only_by_chance_says_so(train, measured, schema):
    strict = schema_pb2.Schema()
    strict.CopyFrom(schema)
    for feature in strict.feature:
        if feature.HasField("skew_comparator") and feature.type == schema_pb2.FLOAT:
            feature.skew_comparator.jensen_shannon_divergence.threshold = 0.01
    findings = checks.check_skew(train, {"eval": measured(8, seed=6)}, strict)
    brightness = next(finding for finding in findings if finding.feature == "image/brightness")
    assert brightness.passed
    assert "over the schema's threshold 0.01" in brightness.detail and "by chance" in brightness.detail


def test_too_large_a_quarantine_fails_with_its_share_and_reasons(summary):
    (finding,) = checks.check_quarantine(summary, max_quarantined=0.04)
    assert not finding.passed
    assert finding.detail == (
        "10 of 200 pairs are quarantined: 5.0%, at most 4.0% may be (7 missing_mask, 3 unreadable)"
    )


def test_too_large_a_quarantine_names_its_most_frequent_cause_and_what_to_do(summary):
    example = Quarantined(id="a", reason=Reason.MISSING_MASK, detail="no mask is named 'a'", remedy="set mask_suffix")
    cause = QuarantineCause(reason=Reason.MISSING_MASK, count=7, cause="no mask has the name", example=example)
    (finding,) = checks.check_quarantine(summary.model_copy(update={"causes": (cause,)}), max_quarantined=0.04)
    told = "most often: 7 × missing_mask: no mask has the name; for example a: no mask is named 'a'; set mask_suffix"
    assert finding.detail.endswith(told)


def test_a_quarantine_at_the_limit_passes(summary):
    assert checks.check_quarantine(summary, max_quarantined=0.05)[0].passed


def test_a_split_with_too_few_pairs_fails_by_name(summary):
    findings = checks.check_size(summary, min_pairs=35)
    assert [finding.split for finding in findings if not finding.passed] == ["test"]
    assert findings[-1].detail == "test has 30 pairs, but needs at least 35"


def test_a_split_that_is_not_there_has_no_pairs(summary):
    findings = checks.check_size(summary.model_copy(update={"used": {"train": 1, "eval": 1}}), min_pairs=1)
    assert [finding.passed for finding in findings] == [True, True, False]
    assert findings[2].detail.startswith("test has 0 pairs")
