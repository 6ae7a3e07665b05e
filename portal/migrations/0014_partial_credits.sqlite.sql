DROP INDEX "invoice_credits_id"
;
CREATE INDEX "invoice_credits_id" ON "invoice" ("credits_id")
;
DROP INDEX "invoice_order_id_kind"
;
CREATE UNIQUE INDEX "invoice_one_per_order" ON "invoice" ("order_id") WHERE ("kind" = 'invoice')
;
CREATE TABLE "credited_line" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "credit_note_id" INTEGER NOT NULL,
  "invoice_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL CHECK (position > 0),
  "start_on" DATE NOT NULL,
  "net_minor" INTEGER NOT NULL CHECK (net_minor > 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" INTEGER NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  FOREIGN KEY ("credit_note_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  CHECK (credit_note_id <> invoice_id))
;
CREATE UNIQUE INDEX "credited_line_credit_note_id_position" ON "credited_line" ("credit_note_id", "position")
;
CREATE UNIQUE INDEX "credited_line_invoice_id_position_start_on" ON "credited_line" ("invoice_id", "position", "start_on")
