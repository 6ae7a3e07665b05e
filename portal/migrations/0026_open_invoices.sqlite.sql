CREATE TABLE "new_purchase_order" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "number" VARCHAR(20) NOT NULL CHECK (length("number") <= 20),
  "workspace_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "state" VARCHAR(9) NOT NULL CHECK ("state" IN ('open', 'placed', 'invoiced', 'paid', 'refunded', 'withdrawn')),
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
  "created_at" DATETIME NOT NULL,
  "given_at" DATETIME,
  "from_balance_minor" INTEGER NOT NULL DEFAULT 0 CHECK (from_balance_minor BETWEEN 0 AND total_minor) CHECK ("from_balance_minor" = CAST("from_balance_minor" AS BIGINT)),
  "reserved_minor" INTEGER NOT NULL DEFAULT 0 CHECK (reserved_minor BETWEEN 0 AND from_balance_minor) CHECK ("reserved_minor" = CAST("reserved_minor" AS BIGINT)),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor))
;
INSERT INTO "new_purchase_order" ("id", "number", "workspace_id", "person_id", "state", "display_currency", "currency", "method_kind", "details", "quote", "quote_hash", "net_minor", "tax_minor", "total_minor", "auto_renewal", "created_at", "given_at", "from_balance_minor", "reserved_minor")
  SELECT "id", "number", "workspace_id", "person_id", "state", "display_currency", "currency", "method_kind", "details", "quote", "quote_hash", "net_minor", "tax_minor", "total_minor", "auto_renewal", "created_at", "paid_at", "from_balance_minor", "reserved_minor" FROM "purchase_order"
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
CREATE INDEX "purchase_order_workspace_id_created_at" ON "purchase_order" ("workspace_id", "created_at")
;
CREATE INDEX "purchase_order_workspace_id_id" ON "purchase_order" ("workspace_id", "id")
;
CREATE INDEX "purchase_order_person_id_id" ON "purchase_order" ("person_id", "id")
;
CREATE INDEX "purchase_order_reserves_balance" ON "purchase_order" ("workspace_id") WHERE (("state" = 'placed') AND ("reserved_minor" > 0))
;
ALTER TABLE "invoice" ADD COLUMN "due_on" DATE
;
ALTER TABLE "invoice" ADD COLUMN "reference" VARCHAR(25) CHECK (length("reference") <= 25)
;
ALTER TABLE "invoice" ADD COLUMN "remind_on" DATE
;
ALTER TABLE "invoice" ADD COLUMN "reminded_on" DATE
;
CREATE UNIQUE INDEX "invoice_reference" ON "invoice" ("reference")
;
CREATE INDEX "invoice_to_remind_of" ON "invoice" ("remind_on") WHERE ("remind_on" IS NOT NULL)
;
ALTER TABLE "subscription" ADD COLUMN "pays_by_transfer" INTEGER NOT NULL DEFAULT false
;
ALTER TABLE "subscription" ADD COLUMN "unpaid_on" DATE
;
ALTER TABLE "workspace" ADD COLUMN "transfers_withheld" INTEGER NOT NULL DEFAULT false
