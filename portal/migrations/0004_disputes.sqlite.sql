ALTER TABLE "workspace" ADD COLUMN "day_reached" DATE
;
CREATE TABLE "new_payment_method" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "added_by_id" INTEGER NOT NULL,
  "gateway" VARCHAR(20) NOT NULL CHECK (length("gateway") <= 20),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "kind" VARCHAR(13) NOT NULL CHECK ("kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "brand" VARCHAR(20) NOT NULL CHECK (length("brand") <= 20),
  "last4" VARCHAR(4) NOT NULL CHECK (length("last4") <= 4),
  "exp_month" INTEGER,
  "exp_year" INTEGER,
  "holder" VARCHAR(200) NOT NULL CHECK (length("holder") <= 200),
  "is_preferred" INTEGER NOT NULL,
  "created_at" DATETIME NOT NULL,
  "stopped_at" DATETIME,
  "removed_at" DATETIME,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("added_by_id") REFERENCES "person" ("id") ON DELETE RESTRICT)
;
INSERT INTO "new_payment_method" ("id", "workspace_id", "added_by_id", "gateway", "reference", "kind", "brand", "last4", "exp_month", "exp_year", "holder", "is_preferred", "created_at", "removed_at")
  SELECT "id", "workspace_id", "added_by_id", "gateway", "reference", "kind", "brand", "last4", "exp_month", "exp_year", "holder", "is_preferred", "created_at", "removed_at" FROM "payment_method"
;
DROP TABLE "payment_method"
;
ALTER TABLE "new_payment_method" RENAME TO "payment_method"
;
CREATE INDEX "payment_method_workspace_id" ON "payment_method" ("workspace_id")
;
CREATE INDEX "payment_method_added_by_id" ON "payment_method" ("added_by_id")
;
CREATE UNIQUE INDEX "payment_method_gateway_reference" ON "payment_method" ("gateway", "reference")
;
CREATE INDEX "payment_method_workspace_id_removed_at" ON "payment_method" ("workspace_id", "removed_at")
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
  "announced_net_minor" INTEGER CHECK (announced_net_minor >= 0) CHECK ("announced_net_minor" = CAST("announced_net_minor" AS BIGINT)),
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
INSERT INTO "new_subscription" ("id", "workspace_id", "product_id", "plan_id", "price_id", "quantity", "started_on", "due_on", "anchor_day", "auto_renewal", "payment_method_id", "locked_price_minor", "locked_until", "renew_on", "announced_minor", "renewal_failed_on", "scheduled_plan_id", "scheduled_interval", "look_at", "version", "created_at")
  SELECT "id", "workspace_id", "product_id", "plan_id", "price_id", "quantity", "started_on", "due_on", "anchor_day", "auto_renewal", "payment_method_id", "locked_price_minor", "locked_until", "renew_on", "announced_minor", "renewal_failed_on", "scheduled_plan_id", "scheduled_interval", "look_at", "version", "created_at" FROM "subscription"
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
CREATE UNIQUE INDEX "subscription_workspace_id_product_id" ON "subscription" ("workspace_id", "product_id")
;
CREATE INDEX "subscription_look_at_id" ON "subscription" ("look_at", "id")
;
UPDATE "subscription" SET "announced_net_minor" = (
    SELECT "net_minor" FROM "purchase_order" WHERE "purchase_order"."workspace_id" = "subscription"."workspace_id"
      AND "state" = 'paid' AND "total_minor" = "announced_minor" ORDER BY "purchase_order"."id" DESC LIMIT 1)
  WHERE "auto_renewal" AND "scheduled_plan_id" IS NULL
;
CREATE TABLE "dispute" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "payment_id" INTEGER NOT NULL,
  "event_id" VARCHAR(200) NOT NULL CHECK (length("event_id") <= 200),
  "payload" TEXT NOT NULL,
  "opened_at" DATETIME NOT NULL,
  "created_at" DATETIME NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_id") REFERENCES "payment" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "dispute_workspace_id" ON "dispute" ("workspace_id")
;
CREATE UNIQUE INDEX "dispute_payment_id" ON "dispute" ("payment_id")
;
CREATE TABLE "gateway_cursor" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "name" VARCHAR(20) NOT NULL CHECK (length("name") <= 20),
  "event_id" VARCHAR(200) NOT NULL CHECK (length("event_id") <= 200))
;
CREATE UNIQUE INDEX "gateway_cursor_name" ON "gateway_cursor" ("name")
