CREATE TABLE "new_workspace" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "slug" VARCHAR(60) NOT NULL CHECK (length("slug") <= 60),
  "name" VARCHAR(200) NOT NULL CHECK (length("name") <= 200),
  "customer_number" VARCHAR(20) NOT NULL CHECK (length("customer_number") <= 20),
  "time_zone" VARCHAR(60) NOT NULL CHECK (length("time_zone") <= 60),
  "language" VARCHAR(5) NOT NULL CHECK (length("language") <= 5),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "who_may_buy" VARCHAR(10) NOT NULL CHECK ("who_may_buy" IN ('any_member', 'billing')),
  "hides_plans_from_members" INTEGER NOT NULL,
  "used_storage_bytes" INTEGER NOT NULL CHECK (used_storage_bytes >= 0) CHECK ("used_storage_bytes" = CAST("used_storage_bytes" AS BIGINT)),
  "services" TEXT NOT NULL,
  "created_at" DATETIME NOT NULL,
  "deleted_at" DATETIME)
;
INSERT INTO "new_workspace" ("id", "slug", "name", "customer_number", "time_zone", "language", "currency", "who_may_buy", "hides_plans_from_members", "used_storage_bytes", "created_at", "deleted_at", "services")
  SELECT "id", "slug", "name", "customer_number", "time_zone", "language", "currency", "who_may_buy", "hides_plans_from_members", "used_storage_bytes", "created_at", "deleted_at", '[]' FROM "workspace"
;
DROP TABLE "workspace"
;
ALTER TABLE "new_workspace" RENAME TO "workspace"
;
CREATE UNIQUE INDEX "workspace_slug" ON "workspace" ("slug")
;
CREATE UNIQUE INDEX "workspace_customer_number" ON "workspace" ("customer_number")
;
CREATE TABLE "new_subscription" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "product_id" INTEGER NOT NULL,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER,
  "quantity" INTEGER NOT NULL CHECK (quantity > 0) CHECK ("quantity" = CAST("quantity" AS BIGINT)),
  "started_on" DATE NOT NULL,
  "due_on" DATE,
  "anchor_day" INTEGER NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
  "auto_renewal" INTEGER NOT NULL,
  "payment_method_id" INTEGER,
  "locked_price_minor" INTEGER CHECK (locked_price_minor >= 0) CHECK ("locked_price_minor" = CAST("locked_price_minor" AS BIGINT)),
  "locked_until" DATE,
  "renew_on" DATE,
  "announced_minor" INTEGER CHECK (announced_minor >= 0) CHECK ("announced_minor" = CAST("announced_minor" AS BIGINT)),
  "renewal_failed_on" DATE,
  "scheduled_plan_id" INTEGER,
  "scheduled_interval" VARCHAR(5) CHECK ("scheduled_interval" IN ('month', 'year')),
  "look_at" DATETIME,
  "version" INTEGER NOT NULL CHECK ("version" = CAST("version" AS BIGINT)),
  "created_at" DATETIME NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("product_id") REFERENCES "product" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_method_id") REFERENCES "payment_method" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("scheduled_plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  CHECK (due_on IS NULL OR due_on > started_on))
;
INSERT INTO "new_subscription" ("id", "workspace_id", "product_id", "plan_id", "price_id", "quantity", "started_on", "due_on", "anchor_day", "auto_renewal", "payment_method_id", "locked_price_minor", "locked_until", "version", "created_at", "renew_on", "announced_minor", "look_at")
  SELECT "id", "workspace_id", "product_id", "plan_id", "price_id", "quantity", "started_on", "due_on", "anchor_day", "auto_renewal", "payment_method_id", "locked_price_minor", "locked_until", "version", "created_at", CASE WHEN "auto_renewal" THEN "due_on" END, CASE WHEN "auto_renewal" THEN (
    SELECT "total_minor" FROM "purchase_order" WHERE "purchase_order"."workspace_id" = "subscription"."workspace_id"
      AND "state" = 'paid' ORDER BY "id" DESC LIMIT 1) END, '2026-01-01 00:00:00' FROM "subscription"
;
DROP TABLE "subscription"
;
ALTER TABLE "new_subscription" RENAME TO "subscription"
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
CREATE INDEX "subscription_scheduled_plan_id" ON "subscription" ("scheduled_plan_id")
;
CREATE UNIQUE INDEX "subscription_workspace_id_product_id" ON "subscription" ("workspace_id",
  "product_id")
;
CREATE INDEX "subscription_look_at_id" ON "subscription" ("look_at",
  "id")
;
CREATE TABLE "new_purchase_order" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "number" VARCHAR(20) NOT NULL CHECK (length("number") <= 20),
  "workspace_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "kind" VARCHAR(7) NOT NULL CHECK ("kind" IN ('buy', 'prolong', 'change', 'renewal')),
  "state" VARCHAR(8) NOT NULL CHECK ("state" IN ('open', 'placed', 'paid', 'refunded')),
  "plan_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "display_currency" VARCHAR(3) NOT NULL CHECK (length("display_currency") = 3 AND "display_currency" = upper("display_currency")),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "method_kind" VARCHAR(13) NOT NULL CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "details" TEXT,
  "quote" TEXT NOT NULL,
  "quote_hash" VARCHAR(64) NOT NULL CHECK (length("quote_hash") <= 64),
  "net_minor" INTEGER NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" INTEGER NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "total_minor" INTEGER NOT NULL CHECK (total_minor >= 0) CHECK ("total_minor" = CAST("total_minor" AS BIGINT)),
  "auto_renewal" INTEGER NOT NULL,
  "subscription_id" INTEGER,
  "renews_on" DATE,
  "created_at" DATETIME NOT NULL,
  "paid_at" DATETIME,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor))
;
INSERT INTO "new_purchase_order" ("id", "number", "workspace_id", "person_id", "kind", "state", "plan_id", "interval", "display_currency", "currency", "method_kind", "details", "quote", "quote_hash", "net_minor", "tax_minor", "total_minor", "auto_renewal", "created_at", "paid_at")
  SELECT "id", "number", "workspace_id", "person_id", "kind", "state", "plan_id", "interval", "display_currency", "currency", "method_kind", "details", "quote", "quote_hash", "net_minor", "tax_minor", "total_minor", "auto_renewal", "created_at", "paid_at" FROM "purchase_order"
;
DROP TABLE "purchase_order"
;
ALTER TABLE "new_purchase_order" RENAME TO "purchase_order"
;
CREATE UNIQUE INDEX "purchase_order_number" ON "purchase_order" ("number")
;
CREATE INDEX "purchase_order_workspace_id" ON "purchase_order" ("workspace_id")
;
CREATE INDEX "purchase_order_person_id" ON "purchase_order" ("person_id")
;
CREATE INDEX "purchase_order_plan_id" ON "purchase_order" ("plan_id")
;
CREATE INDEX "purchase_order_subscription_id" ON "purchase_order" ("subscription_id")
;
CREATE INDEX "purchase_order_workspace_id_created_at" ON "purchase_order" ("workspace_id",
  "created_at")
;
CREATE UNIQUE INDEX "order_one_renewal_per_due_date" ON "purchase_order" ("subscription_id",
  "renews_on") WHERE ("state" != 'refunded')
;
CREATE TABLE "new_payment" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "order_id" INTEGER NOT NULL,
  "gateway" VARCHAR(20) NOT NULL CHECK (length("gateway") <= 20),
  "method_id" INTEGER,
  "amount_minor" INTEGER NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "state" VARCHAR(15) NOT NULL CHECK ("state" IN ('created', 'action_required', 'pending', 'unknown', 'succeeded', 'declined')),
  "decline_code" VARCHAR(40) NOT NULL CHECK (length("decline_code") <= 40),
  "may_work_later" INTEGER NOT NULL,
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "action_url" VARCHAR(500) NOT NULL CHECK (length("action_url") <= 500),
  "method_kind" VARCHAR(13) NOT NULL CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "brand" VARCHAR(20) NOT NULL CHECK (length("brand") <= 20),
  "last4" VARCHAR(4) NOT NULL CHECK (length("last4") <= 4),
  "payer_name" VARCHAR(200) NOT NULL CHECK (length("payer_name") <= 200),
  "payer_email" VARCHAR(254) NOT NULL CHECK (length("payer_email") <= 254),
  "look_ups" INTEGER NOT NULL CHECK ("look_ups" = CAST("look_ups" AS BIGINT)),
  "look_up_at" DATETIME,
  "tried_on" DATE,
  "created_at" DATETIME NOT NULL,
  "settled_at" DATETIME,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("method_id") REFERENCES "payment_method" ("id") ON DELETE RESTRICT)
;
INSERT INTO "new_payment" ("id", "key", "workspace_id", "order_id", "gateway", "amount_minor", "currency", "state", "decline_code", "reference", "action_url", "method_kind", "brand", "last4", "payer_name", "payer_email", "look_ups", "look_up_at", "created_at", "settled_at", "may_work_later")
  SELECT "id", "key", "workspace_id", "order_id", "gateway", "amount_minor", "currency", "state", "decline_code", "reference", "action_url", "method_kind", "brand", "last4", "payer_name", "payer_email", "look_ups", "look_up_at", "created_at", "settled_at", 0 FROM "payment"
;
DROP TABLE "payment"
;
ALTER TABLE "new_payment" RENAME TO "payment"
;
CREATE UNIQUE INDEX "payment_key" ON "payment" ("key")
;
CREATE INDEX "payment_workspace_id" ON "payment" ("workspace_id")
;
CREATE INDEX "payment_order_id" ON "payment" ("order_id")
;
CREATE INDEX "payment_method_id" ON "payment" ("method_id")
;
CREATE INDEX "payment_look_up_at" ON "payment" ("look_up_at")
;
CREATE UNIQUE INDEX "payment_one_live_per_order" ON "payment" ("order_id") WHERE ("state" != 'declined')
;
CREATE TABLE "new_invoice" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "order_id" INTEGER NOT NULL,
  "credits_id" INTEGER,
  "kind" VARCHAR(11) NOT NULL CHECK ("kind" IN ('invoice', 'credit_note')),
  "series" VARCHAR(20) NOT NULL CHECK (length("series") <= 20),
  "sequence" INTEGER NOT NULL CHECK (sequence >= 1) CHECK ("sequence" = CAST("sequence" AS BIGINT)),
  "number" VARCHAR(30) NOT NULL CHECK (length("number") <= 30),
  "issued_on" DATE NOT NULL,
  "issued_at" DATETIME NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "net_minor" INTEGER NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" INTEGER NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "total_minor" INTEGER NOT NULL CHECK (total_minor >= 0) CHECK ("total_minor" = CAST("total_minor" AS BIGINT)),
  "facts" TEXT NOT NULL,
  "facts_hash" VARCHAR(64) NOT NULL CHECK (length("facts_hash") <= 64),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("credits_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor),
  CHECK ((kind = 'credit_note') = (credits_id IS NOT NULL)))
;
INSERT INTO "new_invoice" ("id", "workspace_id", "order_id", "kind", "series", "sequence", "number", "issued_on", "issued_at", "currency", "net_minor", "tax_minor", "total_minor", "facts", "facts_hash")
  SELECT "id", "workspace_id", "order_id", "kind", "series", "sequence", "number", "issued_on", "issued_at", "currency", "net_minor", "tax_minor", "total_minor", "facts", "facts_hash" FROM "invoice"
;
DROP TABLE "invoice"
;
ALTER TABLE "new_invoice" RENAME TO "invoice"
;
CREATE INDEX "invoice_workspace_id" ON "invoice" ("workspace_id")
;
CREATE INDEX "invoice_order_id" ON "invoice" ("order_id")
;
CREATE UNIQUE INDEX "invoice_credits_id" ON "invoice" ("credits_id")
;
CREATE UNIQUE INDEX "invoice_number" ON "invoice" ("number")
;
CREATE UNIQUE INDEX "invoice_series_sequence" ON "invoice" ("series",
  "sequence")
;
CREATE INDEX "invoice_workspace_id_id" ON "invoice" ("workspace_id",
  "id")
;
CREATE UNIQUE INDEX "invoice_order_id_kind" ON "invoice" ("order_id",
  "kind")
;
CREATE TABLE "refund" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "payment_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "amount_minor" INTEGER NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "state" VARCHAR(9) NOT NULL CHECK ("state" IN ('created', 'unknown', 'succeeded', 'refused')),
  "refusal_code" VARCHAR(40) NOT NULL CHECK (length("refusal_code") <= 40),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "tries" INTEGER NOT NULL CHECK ("tries" = CAST("tries" AS BIGINT)),
  "ask_again_at" DATETIME,
  "created_at" DATETIME NOT NULL,
  "settled_at" DATETIME,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_id") REFERENCES "payment" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "refund_key" ON "refund" ("key")
;
CREATE INDEX "refund_workspace_id" ON "refund" ("workspace_id")
;
CREATE INDEX "refund_payment_id" ON "refund" ("payment_id")
;
CREATE INDEX "refund_person_id" ON "refund" ("person_id")
;
CREATE INDEX "refund_ask_again_at" ON "refund" ("ask_again_at")
;
CREATE UNIQUE INDEX "refund_one_live_per_payment" ON "refund" ("payment_id") WHERE ("state" != 'refused')
;
CREATE TABLE "notice" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "subscription_id" INTEGER NOT NULL,
  "kind" VARCHAR(14) NOT NULL CHECK ("kind" IN ('trial_ending', 'trial_last_day', 'trial_over', 'price_rise', 'renewal_ahead', 'due_soon', 'late', 'blocked', 'deletion_ahead')),
  "about_on" DATE NOT NULL,
  "said_on" DATE NOT NULL,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE CASCADE)
;
CREATE INDEX "notice_subscription_id" ON "notice" ("subscription_id")
;
CREATE UNIQUE INDEX "notice_subscription_id_about_on_kind" ON "notice" ("subscription_id",
  "about_on",
  "kind")
;
CREATE TABLE "nonprofit_request" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER,
  "organisation" VARCHAR(200) NOT NULL CHECK (length("organisation") <= 200),
  "country" VARCHAR(2) NOT NULL CHECK (length("country") <= 2),
  "contact_name" VARCHAR(200) NOT NULL CHECK (length("contact_name") <= 200),
  "email" VARCHAR(254) NOT NULL CHECK (length("email") <= 254),
  "website" VARCHAR(500) NOT NULL CHECK (length("website") <= 500),
  "registration_number" VARCHAR(60) NOT NULL CHECK (length("registration_number") <= 60),
  "purpose" TEXT NOT NULL,
  "language" VARCHAR(5) NOT NULL CHECK (length("language") <= 5),
  "state" VARCHAR(8) NOT NULL CHECK ("state" IN ('received', 'accepted', 'refused')),
  "reason" TEXT NOT NULL,
  "created_at" DATETIME NOT NULL,
  "decided_at" DATETIME,
  "decided_by_id" INTEGER,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("decided_by_id") REFERENCES "person" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "nonprofit_request_workspace_id" ON "nonprofit_request" ("workspace_id")
;
CREATE INDEX "nonprofit_request_decided_by_id" ON "nonprofit_request" ("decided_by_id")
;
CREATE INDEX "nonprofit_request_state_id" ON "nonprofit_request" ("state",
  "id")
;
CREATE TABLE "gateway_pace" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "name" VARCHAR(60) NOT NULL CHECK (length("name") <= 60),
  "free_at_us" INTEGER NOT NULL CHECK ("free_at_us" = CAST("free_at_us" AS BIGINT)),
  "slow_until_us" INTEGER NOT NULL CHECK ("slow_until_us" = CAST("slow_until_us" AS BIGINT)))
;
CREATE UNIQUE INDEX "gateway_pace_name" ON "gateway_pace" ("name")
