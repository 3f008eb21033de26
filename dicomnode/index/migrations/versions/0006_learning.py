"""labels, splits, training sets, learned versions and the record of decisions"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "alarms",
        sa.Column("alarm_key", KEY, nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=128), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("told_s", sa.Float(), nullable=True),
        sa.Column("cleared_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("alarm_key"),
    )
    op.create_index("ix_alarms_model", "alarms", ["model"])

    op.create_table(
        "decisions",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "drift",
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("day", sa.String(length=8), nullable=False),
        sa.Column("figure", sa.String(length=128), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("p", sa.Float(), nullable=True),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "day", "figure"),
    )
    op.create_table(
        "duplicates",
        sa.Column("one", sa.String(length=64), nullable=False),
        sa.Column("other", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("distance", sa.Float(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("one", "other"),
    )
    op.create_table(
        "harvested",
        sa.Column("object_uid", sa.String(length=128), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("object_uid"),
    )
    op.create_table(
        "in_use",
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("since_s", sa.Float(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("model", "scope"),
    )
    op.create_table(
        "labelers",
        sa.Column("labeler", sa.String(length=128), nullable=False),
        sa.Column("finding", sa.String(length=128), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("ppv", sa.Float(), nullable=True),
        sa.Column("npv", sa.Float(), nullable=True),
        sa.Column("unreviewed", sa.Boolean(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("labeler", "finding"),
    )
    op.create_table(
        "learned_versions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("folder", sa.String(length=512), nullable=False),
        sa.Column("parent", sa.String(length=64), nullable=False),
        sa.Column("base", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("training_set", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("research", sa.Boolean(), nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_learned_versions_model", "learned_versions", ["model"])
    op.create_index("ix_learned_versions_state", "learned_versions", ["state"])

    op.create_table(
        "learnings",
        sa.Column("job", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("trigger", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("training_set", sa.String(length=64), nullable=False),
        sa.Column("candidate", sa.String(length=64), nullable=False),
        sa.Column("started_s", sa.Float(), nullable=False),
        sa.Column("ended_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_index("ix_learnings_model", "learnings", ["model"])
    op.create_index("ix_learnings_state", "learnings", ["state"])

    op.create_table(
        "patients",
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("assigned_s", sa.Float(), nullable=False),
        sa.Column("trained", sa.Boolean(), nullable=False),
        sa.Column("looked_at", sa.Boolean(), nullable=False),
        sa.Column("merged_into", sa.String(length=64), nullable=True),
        sa.Column("opted_out_s", sa.Float(), nullable=True),
        sa.Column("forgotten_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("patient"),
    )
    op.create_index("ix_patients_merged_into", "patients", ["merged_into"])

    op.create_table(
        "sealed_sets",
        sa.Column("sealed_set", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("patients", sa.JSON(), nullable=False),
        sa.Column("sealed_s", sa.Float(), nullable=False),
        sa.Column("retired_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("sealed_set"),
    )
    op.create_index("ix_sealed_sets_model", "sealed_sets", ["model"])

    op.create_table(
        "self_tests",
        sa.Column("test_key", KEY, nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("test_key"),
    )
    op.create_index("ix_self_tests_model", "self_tests", ["model"])

    op.create_table(
        "shadows",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("started_s", sa.Float(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("days", sa.Float(), nullable=False),
        sa.Column("ended_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_shadows_model", "shadows", ["model"])

    op.create_table(
        "split_keys",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("check_value", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "training_sets",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=512), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_training_sets_model", "training_sets", ["model"])

    op.create_table(
        "labels",
        sa.Column("label_key", KEY, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("study_key", KEY, nullable=True),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("accession_number", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("output", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("file", sa.String(length=512), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("made_s", sa.Float(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("object_uid", sa.String(length=64), nullable=False),
        sa.Column("object_digest", sa.String(length=64), nullable=False),
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=255), nullable=False),
        sa.Column("assisted", sa.Boolean(), nullable=False),
        sa.Column("unaided", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.study_key"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("label_key"),
        sa.UniqueConstraint("object_uid", "object_digest", "model", "output", "what", "study_uid", "tracking_uid"),
    )
    op.create_index("ix_labels_accession_number", "labels", ["accession_number"])
    op.create_index("ix_labels_model", "labels", ["model"])
    op.create_index("ix_labels_object_uid", "labels", ["object_uid"])
    op.create_index("ix_labels_patient", "labels", ["patient"])
    op.create_index("ix_labels_state", "labels", ["state"])
    op.create_index("ix_labels_study_key", "labels", ["study_key"])
    op.create_index("ix_labels_study_uid", "labels", ["study_uid"])

    op.create_table(
        "looks",
        sa.Column("sealed_set", sa.String(length=64), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("candidate", sa.String(length=64), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("marked", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sealed_set"],
            ["sealed_sets.sealed_set"],
        ),
        sa.PrimaryKeyConstraint("sealed_set", "look"),
    )
    op.create_index("ix_looks_candidate", "looks", ["candidate"])

    op.create_table(
        "shadow_answers",
        sa.Column("run_key", sa.String(length=64), nullable=False),
        sa.Column("study_key", KEY, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("in_use", sa.String(length=64), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.study_key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key"),
    )
    op.create_index("ix_shadow_answers_digest", "shadow_answers", ["digest"])
    op.create_index("ix_shadow_answers_study_key", "shadow_answers", ["study_key"])

    op.create_table(
        "training_items",
        sa.Column("training_set", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("study_key", KEY, nullable=True),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.study_key"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["training_set"], ["training_sets.digest"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("training_set", "item_id"),
    )
    op.create_index("ix_training_items_patient", "training_items", ["patient"])

    op.create_index("ix_studies_decided_s", "studies", ["decided_s"])

    op.create_table(
        "embeddings",
        sa.Column("run_key", sa.String(length=64), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["runs.run_key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key"),
    )

    op.add_column("runs", sa.Column("shadow", sa.Boolean(), nullable=False, server_default=sa.false()))
