CREATE TABLE "product" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "code" VARCHAR(60) NOT NULL CHECK (length("code") <= 60),
  "names" JSONB NOT NULL,
  "kind" VARCHAR(14) NOT NULL CHECK ("kind" IN ('workspace_plan', 'licensed')),
  "change_policy" VARCHAR(7) NOT NULL CHECK ("change_policy" IN ('extend', 'prorate')),
  "trial_days" BIGINT NOT NULL CHECK (trial_days >= 0) CHECK ("trial_days" = CAST("trial_days" AS BIGINT)),
  "grace_days" BIGINT CHECK (grace_days >= 0) CHECK ("grace_days" = CAST("grace_days" AS BIGINT)),
  "bank_transfer" BOOLEAN NOT NULL,
  "position" INTEGER NOT NULL,
  "withdrawn" BOOLEAN NOT NULL,
  "revision" VARCHAR(32) NOT NULL CHECK (length("revision") <= 32))
;
CREATE UNIQUE INDEX "product_code" ON "product" ("code")
;
CREATE TABLE "plan" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "product_id" INTEGER NOT NULL,
  "code" VARCHAR(60) NOT NULL CHECK (length("code") <= 60),
  "names" JSONB NOT NULL,
  "position" INTEGER NOT NULL,
  "hidden" BOOLEAN NOT NULL,
  "free" BOOLEAN NOT NULL,
  "trial" BOOLEAN NOT NULL,
  "nonprofit" BOOLEAN NOT NULL,
  "max_users" BIGINT CHECK (max_users > 0) CHECK ("max_users" = CAST("max_users" AS BIGINT)),
  "guests_per_user" BIGINT NOT NULL CHECK (guests_per_user >= 0) CHECK ("guests_per_user" = CAST("guests_per_user" AS BIGINT)),
  "max_administrators" BIGINT CHECK (max_administrators > 0) CHECK ("max_administrators" = CAST("max_administrators" AS BIGINT)),
  "storage_bytes" BIGINT CHECK (storage_bytes >= 0) CHECK ("storage_bytes" = CAST("storage_bytes" AS BIGINT)),
  "services" JSONB NOT NULL,
  "withdrawn" BOOLEAN NOT NULL,
  FOREIGN KEY ("product_id") REFERENCES "product" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "plan_product_id" ON "plan" ("product_id")
;
CREATE UNIQUE INDEX "plan_code" ON "plan" ("code")
;
CREATE TABLE "price" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "plan_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "unit" VARCHAR(7) NOT NULL CHECK ("unit" IN ('flat', 'licence')),
  "amount_minor" BIGINT NOT NULL CHECK (amount_minor >= 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "tiers" JSONB,
  "valid_from" DATE NOT NULL,
  "valid_until" DATE,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "price_plan_id" ON "price" ("plan_id")
;
CREATE UNIQUE INDEX "price_one_begins_a_day" ON "price" ("plan_id",
  "interval",
  "currency",
  "valid_from") WHERE (("valid_until" IS NULL) OR ("valid_until" > "valid_from"))
;
CREATE TABLE "vendor_link" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "name" VARCHAR(40) NOT NULL CHECK (length("name") <= 40),
  "url" VARCHAR(500) NOT NULL CHECK (length("url") <= 500))
;
CREATE UNIQUE INDEX "vendor_link_name" ON "vendor_link" ("name")
;
CREATE TABLE "person" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "email" VARCHAR(254) NOT NULL CHECK (email = lower(email)) CHECK (length("email") <= 254),
  "name" VARCHAR(200) NOT NULL CHECK (length("name") <= 200),
  "password_hash" VARCHAR(200) CHECK (length("password_hash") <= 200),
  "language" VARCHAR(5) CHECK (length("language") <= 5),
  "is_operator" BOOLEAN NOT NULL,
  "skips_buy_dialog" BOOLEAN NOT NULL,
  "created_at" TIMESTAMP NOT NULL,
  "email_proved_at" TIMESTAMP)
;
CREATE UNIQUE INDEX "person_email" ON "person" ("email")
;
CREATE TABLE "workspace" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "slug" VARCHAR(60) NOT NULL CHECK (length("slug") <= 60),
  "name" VARCHAR(200) NOT NULL CHECK (length("name") <= 200),
  "customer_number" VARCHAR(20) NOT NULL CHECK (length("customer_number") <= 20),
  "time_zone" VARCHAR(60) NOT NULL CHECK (length("time_zone") <= 60),
  "language" VARCHAR(5) NOT NULL CHECK (length("language") <= 5),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "who_may_buy" VARCHAR(10) NOT NULL CHECK ("who_may_buy" IN ('any_member', 'billing')),
  "hides_plans_from_members" BOOLEAN NOT NULL,
  "used_storage_bytes" BIGINT NOT NULL CHECK (used_storage_bytes >= 0) CHECK ("used_storage_bytes" = CAST("used_storage_bytes" AS BIGINT)),
  "created_at" TIMESTAMP NOT NULL,
  "deleted_at" TIMESTAMP)
;
CREATE UNIQUE INDEX "workspace_slug" ON "workspace" ("slug")
;
CREATE UNIQUE INDEX "workspace_customer_number" ON "workspace" ("customer_number")
;
CREATE TABLE "member" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "role" VARCHAR(15) NOT NULL CHECK ("role" IN ('owner', 'admin', 'billing_manager', 'member')),
  "status" VARCHAR(8) NOT NULL CHECK ("status" IN ('active', 'guest', 'disabled')),
  "is_upgrader" BOOLEAN NOT NULL,
  "created_at" TIMESTAMP NOT NULL,
  "joined_at" TIMESTAMP,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "member_workspace_id" ON "member" ("workspace_id")
;
CREATE INDEX "member_person_id" ON "member" ("person_id")
;
CREATE UNIQUE INDEX "member_workspace_id_person_id" ON "member" ("workspace_id",
  "person_id")
;
CREATE INDEX "member_workspace_id_status_role" ON "member" ("workspace_id",
  "status",
  "role")
;
CREATE TABLE "session" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "token_hash" VARCHAR(64) NOT NULL CHECK (length("token_hash") <= 64),
  "person_id" INTEGER,
  "stored" JSONB NOT NULL,
  "ip_address" VARCHAR(45) NOT NULL CHECK (length("ip_address") <= 45),
  "user_agent" VARCHAR(200) NOT NULL CHECK (length("user_agent") <= 200),
  "created_at" TIMESTAMP NOT NULL,
  "seen_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE CASCADE)
;
CREATE UNIQUE INDEX "session_token_hash" ON "session" ("token_hash")
;
CREATE INDEX "session_person_id" ON "session" ("person_id")
;
CREATE INDEX "session_seen_at" ON "session" ("seen_at")
;
CREATE TABLE "link" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "token_hash" VARCHAR(64) NOT NULL CHECK (length("token_hash") <= 64),
  "purpose" VARCHAR(10) NOT NULL CHECK ("purpose" IN ('magic', 'reset', 'invitation')),
  "person_id" INTEGER NOT NULL,
  "member_id" INTEGER,
  "created_at" TIMESTAMP NOT NULL,
  "expires_at" TIMESTAMP NOT NULL,
  "used_at" TIMESTAMP,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("member_id") REFERENCES "member" ("id") ON DELETE CASCADE)
;
CREATE UNIQUE INDEX "link_token_hash" ON "link" ("token_hash")
;
CREATE INDEX "link_person_id" ON "link" ("person_id")
;
CREATE INDEX "link_member_id" ON "link" ("member_id")
;
CREATE TABLE "limit_bucket" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "key" VARCHAR(200) NOT NULL CHECK (length("key") <= 200),
  "tries" BIGINT NOT NULL CHECK ("tries" = CAST("tries" AS BIGINT)),
  "ends_at" TIMESTAMP NOT NULL)
;
CREATE UNIQUE INDEX "limit_bucket_key" ON "limit_bucket" ("key")
;
CREATE INDEX "limit_bucket_ends_at" ON "limit_bucket" ("ends_at")
;
CREATE TABLE "billing_details" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "is_business" BOOLEAN NOT NULL,
  "company_name" VARCHAR(200) NOT NULL CHECK (length("company_name") <= 200),
  "vat_number" VARCHAR(20) NOT NULL CHECK (length("vat_number") <= 20),
  "vat_status" VARCHAR(9) NOT NULL CHECK ("vat_status" IN ('none', 'unchecked', 'valid', 'invalid')),
  "first_name" VARCHAR(200) NOT NULL CHECK (length("first_name") <= 200),
  "last_name" VARCHAR(200) NOT NULL CHECK (length("last_name") <= 200),
  "street" VARCHAR(200) NOT NULL CHECK (length("street") <= 200),
  "street2" VARCHAR(200) NOT NULL CHECK (length("street2") <= 200),
  "postal_code" VARCHAR(20) NOT NULL CHECK (length("postal_code") <= 20),
  "city" VARCHAR(200) NOT NULL CHECK (length("city") <= 200),
  "region" VARCHAR(100) NOT NULL CHECK (length("region") <= 100),
  "country" VARCHAR(2) NOT NULL CHECK (length("country") <= 2),
  "email" VARCHAR(254) NOT NULL CHECK (length("email") <= 254),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "billing_details_workspace_id" ON "billing_details" ("workspace_id")
;
CREATE TABLE "payment_method" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "added_by_id" INTEGER NOT NULL,
  "gateway" VARCHAR(20) NOT NULL CHECK (length("gateway") <= 20),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "kind" VARCHAR(13) NOT NULL CHECK ("kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "brand" VARCHAR(20) NOT NULL CHECK (length("brand") <= 20),
  "last4" VARCHAR(4) NOT NULL CHECK (length("last4") <= 4),
  "exp_month" SMALLINT,
  "exp_year" SMALLINT,
  "holder" VARCHAR(200) NOT NULL CHECK (length("holder") <= 200),
  "is_preferred" BOOLEAN NOT NULL,
  "created_at" TIMESTAMP NOT NULL,
  "removed_at" TIMESTAMP,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("added_by_id") REFERENCES "person" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "payment_method_workspace_id" ON "payment_method" ("workspace_id")
;
CREATE INDEX "payment_method_added_by_id" ON "payment_method" ("added_by_id")
;
CREATE UNIQUE INDEX "payment_method_gateway_reference" ON "payment_method" ("gateway",
  "reference")
;
CREATE INDEX "payment_method_workspace_id_removed_at" ON "payment_method" ("workspace_id",
  "removed_at")
;
CREATE TABLE "subscription" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "product_id" INTEGER NOT NULL,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER,
  "quantity" BIGINT NOT NULL CHECK (quantity > 0) CHECK ("quantity" = CAST("quantity" AS BIGINT)),
  "started_on" DATE NOT NULL,
  "due_on" DATE,
  "anchor_day" SMALLINT NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
  "auto_renewal" BOOLEAN NOT NULL,
  "payment_method_id" INTEGER,
  "locked_price_minor" BIGINT CHECK (locked_price_minor >= 0) CHECK ("locked_price_minor" = CAST("locked_price_minor" AS BIGINT)),
  "locked_until" DATE,
  "version" BIGINT NOT NULL CHECK ("version" = CAST("version" AS BIGINT)),
  "created_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("product_id") REFERENCES "product" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_method_id") REFERENCES "payment_method" ("id") ON DELETE RESTRICT,
  CHECK (due_on IS NULL OR due_on > started_on))
;
CREATE INDEX "subscription_workspace_id" ON "subscription" ("workspace_id")
;
CREATE INDEX "subscription_product_id" ON "subscription" ("product_id")
;
CREATE INDEX "subscription_plan_id" ON "subscription" ("plan_id")
;
CREATE INDEX "subscription_price_id" ON "subscription" ("price_id")
;
CREATE INDEX "subscription_payment_method_id" ON "subscription" ("payment_method_id")
;
CREATE UNIQUE INDEX "subscription_workspace_id_product_id" ON "subscription" ("workspace_id",
  "product_id")
;
CREATE INDEX "subscription_auto_renewal_due_on_id" ON "subscription" ("auto_renewal",
  "due_on",
  "id")
;
CREATE TABLE "purchase_order" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "number" VARCHAR(20) NOT NULL CHECK (length("number") <= 20),
  "workspace_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "kind" VARCHAR(7) NOT NULL CHECK ("kind" IN ('buy', 'prolong', 'change')),
  "state" VARCHAR(6) NOT NULL CHECK ("state" IN ('open', 'placed', 'paid')),
  "plan_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "display_currency" VARCHAR(3) NOT NULL CHECK (length("display_currency") = 3 AND "display_currency" = upper("display_currency")),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "method_kind" VARCHAR(13) NOT NULL CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "details" JSONB,
  "quote" JSONB NOT NULL,
  "quote_hash" VARCHAR(64) NOT NULL CHECK (length("quote_hash") <= 64),
  "net_minor" BIGINT NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" BIGINT NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "total_minor" BIGINT NOT NULL CHECK (total_minor >= 0) CHECK ("total_minor" = CAST("total_minor" AS BIGINT)),
  "auto_renewal" BOOLEAN NOT NULL,
  "created_at" TIMESTAMP NOT NULL,
  "paid_at" TIMESTAMP,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor))
;
CREATE UNIQUE INDEX "purchase_order_number" ON "purchase_order" ("number")
;
CREATE INDEX "purchase_order_workspace_id" ON "purchase_order" ("workspace_id")
;
CREATE INDEX "purchase_order_person_id" ON "purchase_order" ("person_id")
;
CREATE INDEX "purchase_order_plan_id" ON "purchase_order" ("plan_id")
;
CREATE INDEX "purchase_order_workspace_id_created_at" ON "purchase_order" ("workspace_id",
  "created_at")
;
CREATE TABLE "subscription_period" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "subscription_id" INTEGER NOT NULL,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER,
  "order_id" INTEGER,
  "start_on" DATE NOT NULL,
  "base_end_on" DATE,
  "end_on" DATE,
  "net_minor" BIGINT NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "currency" VARCHAR(3) CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "created_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE RESTRICT,
  CHECK (end_on IS NULL OR end_on >= start_on))
;
CREATE INDEX "subscription_period_subscription_id" ON "subscription_period" ("subscription_id")
;
CREATE INDEX "subscription_period_plan_id" ON "subscription_period" ("plan_id")
;
CREATE INDEX "subscription_period_price_id" ON "subscription_period" ("price_id")
;
CREATE UNIQUE INDEX "subscription_period_order_id" ON "subscription_period" ("order_id")
;
CREATE INDEX "subscription_period_subscription_id_end_on" ON "subscription_period" ("subscription_id",
  "end_on")
;
CREATE TABLE "payment" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "order_id" INTEGER NOT NULL,
  "gateway" VARCHAR(20) NOT NULL CHECK (length("gateway") <= 20),
  "amount_minor" BIGINT NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "state" VARCHAR(15) NOT NULL CHECK ("state" IN ('created', 'action_required', 'pending', 'unknown', 'succeeded', 'declined')),
  "decline_code" VARCHAR(40) NOT NULL CHECK (length("decline_code") <= 40),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "action_url" VARCHAR(500) NOT NULL CHECK (length("action_url") <= 500),
  "method_kind" VARCHAR(13) NOT NULL CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "brand" VARCHAR(20) NOT NULL CHECK (length("brand") <= 20),
  "last4" VARCHAR(4) NOT NULL CHECK (length("last4") <= 4),
  "payer_name" VARCHAR(200) NOT NULL CHECK (length("payer_name") <= 200),
  "payer_email" VARCHAR(254) NOT NULL CHECK (length("payer_email") <= 254),
  "look_ups" BIGINT NOT NULL CHECK ("look_ups" = CAST("look_ups" AS BIGINT)),
  "look_up_at" TIMESTAMP,
  "created_at" TIMESTAMP NOT NULL,
  "settled_at" TIMESTAMP,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "payment_key" ON "payment" ("key")
;
CREATE INDEX "payment_workspace_id" ON "payment" ("workspace_id")
;
CREATE INDEX "payment_order_id" ON "payment" ("order_id")
;
CREATE INDEX "payment_look_up_at" ON "payment" ("look_up_at")
;
CREATE UNIQUE INDEX "payment_one_live_per_order" ON "payment" ("order_id") WHERE ("state" != 'declined')
;
CREATE TABLE "number_series" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "name" VARCHAR(20) NOT NULL CHECK (length("name") <= 20),
  "next_number" BIGINT NOT NULL CHECK (next_number >= 1) CHECK ("next_number" = CAST("next_number" AS BIGINT)))
;
CREATE UNIQUE INDEX "number_series_name" ON "number_series" ("name")
;
CREATE TABLE "invoice" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "order_id" INTEGER NOT NULL,
  "kind" VARCHAR(11) NOT NULL CHECK ("kind" IN ('invoice', 'credit_note')),
  "series" VARCHAR(20) NOT NULL CHECK (length("series") <= 20),
  "sequence" BIGINT NOT NULL CHECK (sequence >= 1) CHECK ("sequence" = CAST("sequence" AS BIGINT)),
  "number" VARCHAR(30) NOT NULL CHECK (length("number") <= 30),
  "issued_on" DATE NOT NULL,
  "issued_at" TIMESTAMP NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "net_minor" BIGINT NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" BIGINT NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "total_minor" BIGINT NOT NULL CHECK (total_minor >= 0) CHECK ("total_minor" = CAST("total_minor" AS BIGINT)),
  "facts" JSONB NOT NULL,
  "facts_hash" VARCHAR(64) NOT NULL CHECK (length("facts_hash") <= 64),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor))
;
CREATE INDEX "invoice_workspace_id" ON "invoice" ("workspace_id")
;
CREATE UNIQUE INDEX "invoice_order_id" ON "invoice" ("order_id")
;
CREATE UNIQUE INDEX "invoice_number" ON "invoice" ("number")
;
CREATE UNIQUE INDEX "invoice_series_sequence" ON "invoice" ("series",
  "sequence")
;
CREATE INDEX "invoice_workspace_id_id" ON "invoice" ("workspace_id",
  "id")
;
CREATE TABLE "document" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "invoice_id" INTEGER NOT NULL,
  "locale" VARCHAR(5) NOT NULL CHECK (length("locale") <= 5),
  "content" BYTEA NOT NULL,
  "sha256" VARCHAR(64) NOT NULL CHECK (length("sha256") <= 64),
  "created_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "document_invoice_id" ON "document" ("invoice_id")
;
CREATE UNIQUE INDEX "document_invoice_id_locale" ON "document" ("invoice_id",
  "locale")
;
CREATE TABLE "outbox_message" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "topic" VARCHAR(60) NOT NULL CHECK (length("topic") <= 60),
  "key" VARCHAR(120) NOT NULL CHECK (length("key") <= 120),
  "payload" JSONB NOT NULL,
  "run_at" TIMESTAMP NOT NULL,
  "lease_until" TIMESTAMP,
  "attempts" BIGINT NOT NULL CHECK ("attempts" = CAST("attempts" AS BIGINT)),
  "done_at" TIMESTAMP,
  "parked_at" TIMESTAMP,
  "last_error" TEXT NOT NULL,
  "created_at" TIMESTAMP NOT NULL)
;
CREATE UNIQUE INDEX "outbox_message_topic_key" ON "outbox_message" ("topic",
  "key")
;
CREATE INDEX "outbox_message_due" ON "outbox_message" ("run_at") WHERE (("done_at" IS NULL) AND ("parked_at" IS NULL))
;
CREATE TABLE "audit_entry" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER,
  "sequence" BIGINT NOT NULL CHECK ("sequence" = CAST("sequence" AS BIGINT)),
  "at" TIMESTAMP NOT NULL,
  "action" VARCHAR(60) NOT NULL CHECK (length("action") <= 60),
  "subject" VARCHAR(120) NOT NULL CHECK (length("subject") <= 120),
  "changes" JSONB NOT NULL,
  "digest" VARCHAR(64) NOT NULL CHECK (length("digest") <= 64),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "audit_entry_workspace_id" ON "audit_entry" ("workspace_id")
;
CREATE UNIQUE INDEX "audit_entry_workspace_id_sequence" ON "audit_entry" ("workspace_id",
  "sequence")
;
CREATE TABLE "audit_trace" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "entry_id" INTEGER NOT NULL,
  "person_id" INTEGER,
  "actor" VARCHAR(254) NOT NULL CHECK (length("actor") <= 254),
  "ip_address" VARCHAR(45) NOT NULL CHECK (length("ip_address") <= 45),
  FOREIGN KEY ("entry_id") REFERENCES "audit_entry" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE SET NULL)
;
CREATE UNIQUE INDEX "audit_trace_entry_id" ON "audit_trace" ("entry_id")
;
CREATE INDEX "audit_trace_person_id" ON "audit_trace" ("person_id")
;
CREATE TABLE "csp_report" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "directive" VARCHAR(100) NOT NULL CHECK (length("directive") <= 100),
  "blocked" VARCHAR(200) NOT NULL CHECK (length("blocked") <= 200),
  "page" VARCHAR(200) NOT NULL CHECK (length("page") <= 200),
  "reports" BIGINT NOT NULL CHECK ("reports" = CAST("reports" AS BIGINT)),
  "last_seen_at" TIMESTAMP NOT NULL)
;
CREATE UNIQUE INDEX "csp_report_directive_blocked_page" ON "csp_report" ("directive",
  "blocked",
  "page")
