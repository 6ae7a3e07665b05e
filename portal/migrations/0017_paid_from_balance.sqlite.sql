ALTER TABLE "purchase_order" ADD COLUMN "from_balance_minor" INTEGER NOT NULL DEFAULT 0 CHECK (from_balance_minor BETWEEN 0 AND total_minor) CHECK ("from_balance_minor" = CAST("from_balance_minor" AS BIGINT))
;
ALTER TABLE "purchase_order" ADD COLUMN "reserved_minor" INTEGER NOT NULL DEFAULT 0 CHECK (reserved_minor BETWEEN 0 AND from_balance_minor) CHECK ("reserved_minor" = CAST("reserved_minor" AS BIGINT))
;
CREATE INDEX "purchase_order_reserves_balance" ON "purchase_order" ("workspace_id") WHERE (("state" = 'placed') AND ("reserved_minor" > 0))
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
  "method_kind" VARCHAR(13) NOT NULL CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer', 'balance')),
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
INSERT INTO "new_payment" ("id", "key", "workspace_id", "order_id", "gateway", "method_id", "amount_minor", "currency", "state", "decline_code", "may_work_later", "reference", "action_url", "method_kind", "brand", "last4", "payer_name", "payer_email", "look_ups", "look_up_at", "tried_on", "created_at", "settled_at")
  SELECT "id", "key", "workspace_id", "order_id", "gateway", "method_id", "amount_minor", "currency", "state", "decline_code", "may_work_later", "reference", "action_url", "method_kind", "brand", "last4", "payer_name", "payer_email", "look_ups", "look_up_at", "tried_on", "created_at", "settled_at" FROM "payment"
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
CREATE INDEX "payment_open" ON "payment" ("workspace_id") WHERE ("look_up_at" IS NOT NULL)

