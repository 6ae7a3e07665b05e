ALTER TABLE "workspace" ADD COLUMN "services" JSONB
;
UPDATE "workspace" SET "services" = '[]'
;
ALTER TABLE "workspace" ALTER COLUMN "services" SET NOT NULL
;
DROP INDEX "subscription_auto_renewal_due_on_id"
;
ALTER TABLE "subscription" ADD COLUMN "renew_on" DATE
;
UPDATE "subscription" SET "renew_on" = CASE WHEN "auto_renewal" THEN "due_on" END
;
ALTER TABLE "subscription" ADD COLUMN "announced_minor" BIGINT CHECK (announced_minor >= 0) CHECK ("announced_minor" = CAST("announced_minor" AS BIGINT))
;
UPDATE "subscription" SET "announced_minor" = CASE WHEN "auto_renewal" THEN (
    SELECT "total_minor" FROM "purchase_order" WHERE "purchase_order"."workspace_id" = "subscription"."workspace_id"
      AND "state" = 'paid' ORDER BY "id" DESC LIMIT 1) END
;
ALTER TABLE "subscription" ADD COLUMN "renewal_failed_on" DATE
;
ALTER TABLE "subscription" ADD COLUMN "scheduled_plan_id" INTEGER REFERENCES "plan" ("id") ON DELETE RESTRICT
;
ALTER TABLE "subscription" ADD COLUMN "scheduled_interval" VARCHAR(5) CHECK ("scheduled_interval" IN ('month', 'year'))
;
ALTER TABLE "subscription" ADD COLUMN "look_at" TIMESTAMP
;
UPDATE "subscription" SET "look_at" = '2026-01-01 00:00:00'
;
CREATE INDEX "subscription_scheduled_plan_id" ON "subscription" ("scheduled_plan_id")
;
CREATE INDEX "subscription_look_at_id" ON "subscription" ("look_at",
  "id")
;
ALTER TABLE "purchase_order" DROP CONSTRAINT "purchase_order_kind_check"
;
ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_kind_check" CHECK ("kind" IN ('buy', 'prolong', 'change', 'renewal'))
;
ALTER TABLE "purchase_order" DROP CONSTRAINT "purchase_order_state_check"
;
ALTER TABLE "purchase_order" ALTER COLUMN "state" TYPE VARCHAR(8)
;
ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_state_check" CHECK ("state" IN ('open', 'placed', 'paid', 'refunded'))
;
ALTER TABLE "purchase_order" ADD COLUMN "subscription_id" INTEGER REFERENCES "subscription" ("id") ON DELETE RESTRICT
;
ALTER TABLE "purchase_order" ADD COLUMN "renews_on" DATE
;
CREATE INDEX "purchase_order_subscription_id" ON "purchase_order" ("subscription_id")
;
CREATE UNIQUE INDEX "order_one_renewal_per_due_date" ON "purchase_order" ("subscription_id",
  "renews_on") WHERE ("state" != 'refunded')
;
ALTER TABLE "payment" ADD COLUMN "method_id" INTEGER REFERENCES "payment_method" ("id") ON DELETE RESTRICT
;
ALTER TABLE "payment" ADD COLUMN "may_work_later" BOOLEAN
;
UPDATE "payment" SET "may_work_later" = FALSE
;
ALTER TABLE "payment" ALTER COLUMN "may_work_later" SET NOT NULL
;
ALTER TABLE "payment" ADD COLUMN "tried_on" DATE
;
CREATE INDEX "payment_method_id" ON "payment" ("method_id")
;
DROP INDEX "invoice_order_id"
;
ALTER TABLE "invoice" ADD COLUMN "credits_id" INTEGER REFERENCES "invoice" ("id") ON DELETE RESTRICT
;
ALTER TABLE "invoice" ADD CHECK ((kind = 'credit_note') = (credits_id IS NOT NULL))
;
CREATE INDEX "invoice_order_id" ON "invoice" ("order_id")
;
CREATE UNIQUE INDEX "invoice_credits_id" ON "invoice" ("credits_id")
;
CREATE UNIQUE INDEX "invoice_order_id_kind" ON "invoice" ("order_id",
  "kind")
;
CREATE TABLE "refund" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "payment_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "amount_minor" BIGINT NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "state" VARCHAR(9) NOT NULL CHECK ("state" IN ('created', 'unknown', 'succeeded', 'refused')),
  "refusal_code" VARCHAR(40) NOT NULL CHECK (length("refusal_code") <= 40),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "tries" BIGINT NOT NULL CHECK ("tries" = CAST("tries" AS BIGINT)),
  "ask_again_at" TIMESTAMP,
  "created_at" TIMESTAMP NOT NULL,
  "settled_at" TIMESTAMP,
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
  "id" SERIAL NOT NULL PRIMARY KEY,
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
  "id" SERIAL NOT NULL PRIMARY KEY,
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
  "created_at" TIMESTAMP NOT NULL,
  "decided_at" TIMESTAMP,
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
  "id" SERIAL NOT NULL PRIMARY KEY,
  "name" VARCHAR(60) NOT NULL CHECK (length("name") <= 60),
  "free_at_us" BIGINT NOT NULL CHECK ("free_at_us" = CAST("free_at_us" AS BIGINT)),
  "slow_until_us" BIGINT NOT NULL CHECK ("slow_until_us" = CAST("slow_until_us" AS BIGINT)))
;
CREATE UNIQUE INDEX "gateway_pace_name" ON "gateway_pace" ("name")
