"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make everything."""
    _calls()
    _documents()
    _people()
    _webhooks()
    _proofs()


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("node", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("sip_call_id", KEY, nullable=False),
        sa.Column("called", KEY, nullable=False),
        sa.Column("calling", KEY, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("started_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("answered_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("route", KEY, nullable=False),
        sa.Column("agent", KEY, nullable=False),
        sa.Column("cause", KEY, nullable=False),
        sa.Column("side", KEY, nullable=False),
        sa.Column("failure", sa.Boolean(), nullable=False),
        sa.Column("q850", sa.Integer(), nullable=False),
        sa.Column("caller_turns", sa.Integer(), nullable=False),
        sa.Column("barge_ins", sa.Integer(), nullable=False),
        sa.Column("response_p50_ms", sa.Float(), nullable=True),
        sa.Column("has_recording", sa.Boolean(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("head_seq", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("erasure_id", KEY, nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_calls"),
        sa.UniqueConstraint("id", name="uq_calls_id"),
    )
    op.create_index(
        "ix_calls_agent_started", "calls", ["agent", sa.text("started_wall_ms DESC"), sa.text("id DESC")]
    )
    op.create_index(
        "ix_calls_called_started", "calls", ["called", sa.text("started_wall_ms DESC"), sa.text("id DESC")]
    )
    op.create_index(
        "ix_calls_calling_started", "calls", ["calling", sa.text("started_wall_ms DESC"), sa.text("id DESC")]
    )
    op.create_index(
        "ix_calls_cause_started", "calls", ["cause", sa.text("started_wall_ms DESC"), sa.text("id DESC")]
    )
    op.create_index("ix_calls_started", "calls", [sa.text("started_wall_ms DESC"), sa.text("id DESC")])
    op.create_index(
        "ix_calls_state_started", "calls", ["state", sa.text("started_wall_ms DESC"), sa.text("id DESC")]
    )
    op.create_table(
        "call_events",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("erasure_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_events_call_id"),
        sa.PrimaryKeyConstraint("call_id", "seq", name="pk_call_events"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_tags",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("tag", KEY, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_tags_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "tag", name="pk_call_tags"),
    )
    op.create_index("ix_call_tags_tag", "call_tags", ["tag", "call_id"])
    op.create_table(
        "legs",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("leg_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("codec", KEY, nullable=False),
        sa.Column("remote", KEY, nullable=False),
        sa.Column("packets_sent", sa.Integer(), nullable=True),
        sa.Column("packets_received", sa.Integer(), nullable=True),
        sa.Column("packets_lost", sa.Integer(), nullable=True),
        sa.Column("packets_late", sa.Integer(), nullable=True),
        sa.Column("jitter_ms", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_legs_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "leg_no", name="pk_legs"),
    )
    op.create_table(
        "transcripts",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.Float(), nullable=False),
        sa.Column("speaker", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_transcripts_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "line_no", name="pk_transcripts"),
    )
    op.create_table(
        "turns",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("turn_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.Float(), nullable=False),
        sa.Column("endpointing_ms", sa.Float(), nullable=False),
        sa.Column("asr_ms", sa.Float(), nullable=False),
        sa.Column("agent_ms", sa.Float(), nullable=False),
        sa.Column("tts_ms", sa.Float(), nullable=False),
        sa.Column("playout_ms", sa.Float(), nullable=False),
        sa.Column("total_ms", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_turns_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "turn_no", name="pk_turns"),
    )
    op.create_table(
        "recordings",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("dropped_samples", sa.Integer(), nullable=False),
        sa.Column("made_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("deleted_wall_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_recordings_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", name="pk_recordings"),
    )
    op.create_index("ix_recordings_made", "recordings", ["made_wall_ms"])


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=True),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_documents"),
    )
    op.create_table(
        "document_versions",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", KEY, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("author", KEY, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("published_by", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["kind", "name"],
            ["documents.kind", "documents.name"],
            name="fk_document_versions_kind_name",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("kind", "name", "version", name="pk_document_versions"),
    )
    op.create_table(
        "trunks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("settings_json", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trunks"),
        sa.UniqueConstraint("name", name="uq_trunks_name"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", KEY, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", KEY, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("teams", sa.Text(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("settings_json", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_last_step", sa.Integer(), nullable=False),
        sa.Column("oidc_subject", KEY, nullable=True),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_login_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sa.UniqueConstraint("oidc_subject", name="uq_users_oidc_subject"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", KEY, nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("teams", sa.Text(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_used_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_wall_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret_hash"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("data_json", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_wall_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_wall_ms", "sessions", ["expires_wall_ms"])
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "one_time_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", KEY, nullable=False),
        sa.Column("data_json", sa.Text(), nullable=False),
        sa.Column("expires_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_one_time_tokens"),
    )
    op.create_index("ix_one_time_tokens_expires_wall_ms", "one_time_tokens", ["expires_wall_ms"])
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", KEY, nullable=False),
        sa.Column("actor_kind", KEY, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("object_kind", KEY, nullable=False),
        sa.Column("object_id", KEY, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("erasure_id", KEY, nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_actor", "audit", ["actor", "seq"])
    op.create_index("ix_audit_at_wall_ms", "audit", ["at_wall_ms"])
    op.create_index("ix_audit_object", "audit", ["object_kind", "object_id", "seq"])


def _webhooks() -> None:
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("settings_json", sa.Text(), nullable=False),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_subscriptions"),
        sa.UniqueConstraint("name", name="uq_webhook_subscriptions_name"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("subscription_id", KEY, nullable=False),
        sa.Column("event_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("payload_json", sa.Text(), nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_wall_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["webhook_subscriptions.id"],
            name="fk_webhook_deliveries_subscription_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
    )
    op.create_index("ix_webhook_deliveries_due", "webhook_deliveries", ["state", "next_attempt_wall_ms"])
    op.create_index(
        "uq_webhook_deliveries_event", "webhook_deliveries", ["subscription_id", "event_id"], unique=True
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_id", SERIAL, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_deliveries.id"], name="fk_webhook_attempts_delivery_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", name="pk_webhook_attempts"),
    )


def _proofs() -> None:
    op.create_table(
        "anchors",
        sa.Column("anchor_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("anchor_no", name="pk_anchors"),
    )
    op.create_table(
        "anchored_calls",
        sa.Column("anchor_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("anchor_no", "call_id", name="pk_anchored_calls"),
    )
    op.create_index("ix_anchored_calls_call", "anchored_calls", ["call_id"])
    op.create_table(
        "erasures",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reason", KEY, nullable=False),
        sa.Column("actor", KEY, nullable=False),
        sa.Column("made_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("certificate_json", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
