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
  "due_on" DATE,
  "reference" VARCHAR(25) CHECK (length("reference") <= 25),
  "remind_on" DATE,
  "reminded_on" DATE,
  "replaced_by_id" INTEGER CHECK (replaced_by_id IS NULL OR kind = 'invoice'),
  "details" TEXT CHECK (details IS NULL OR kind = 'invoice'),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("credits_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("replaced_by_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor),
  CHECK ((kind = 'credit_note') = (credits_id IS NOT NULL)))
;
INSERT INTO "new_invoice" ("id", "workspace_id", "order_id", "credits_id", "kind", "series", "sequence", "number", "issued_on", "issued_at", "currency", "net_minor", "tax_minor", "total_minor", "facts", "facts_hash", "due_on", "reference", "remind_on", "reminded_on")
  SELECT "id", "workspace_id", "order_id", "credits_id", "kind", "series", "sequence", "number", "issued_on", "issued_at", "currency", "net_minor", "tax_minor", "total_minor", "facts", "facts_hash", "due_on", "reference", "remind_on", "reminded_on" FROM "invoice"
;
DROP TABLE "invoice"
;
ALTER TABLE "new_invoice" RENAME TO "invoice"
;
CREATE INDEX "invoice_workspace_id" ON "invoice" ("workspace_id")
;
CREATE INDEX "invoice_order_id" ON "invoice" ("order_id")
;
CREATE INDEX "invoice_credits_id" ON "invoice" ("credits_id")
;
CREATE UNIQUE INDEX "invoice_number" ON "invoice" ("number")
;
CREATE UNIQUE INDEX "invoice_reference" ON "invoice" ("reference")
;
CREATE UNIQUE INDEX "invoice_series_sequence" ON "invoice" ("series", "sequence")
;
CREATE INDEX "invoice_workspace_id_id" ON "invoice" ("workspace_id", "id")
;
CREATE UNIQUE INDEX "invoice_one_per_order" ON "invoice" ("order_id") WHERE (("kind" = 'invoice') AND ("replaced_by_id" IS NULL))
;
CREATE UNIQUE INDEX "invoice_replaced_by" ON "invoice" ("replaced_by_id") WHERE ("replaced_by_id" IS NOT NULL)
;
CREATE INDEX "invoice_to_remind_of" ON "invoice" ("remind_on") WHERE ("remind_on" IS NOT NULL)
