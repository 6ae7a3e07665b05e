CREATE TABLE "bank_statement" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "sha256" VARCHAR(64) NOT NULL CHECK (length("sha256") <= 64),
  "position" SMALLINT NOT NULL CHECK (position > 0),
  "file_name" VARCHAR(200) NOT NULL CHECK (length("file_name") <= 200),
  "kind" VARCHAR(8) NOT NULL CHECK ("kind" IN ('camt_053', 'camt_054', 'csv')),
  "account" VARCHAR(34) NOT NULL CHECK (length("account") <= 34),
  "number" VARCHAR(70) NOT NULL CHECK (length("number") <= 70),
  "currency" VARCHAR(3) CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "opening_minor" BIGINT CHECK ("opening_minor" = CAST("opening_minor" AS BIGINT)),
  "closing_minor" BIGINT CHECK ("closing_minor" = CAST("closing_minor" AS BIGINT)),
  "listed" BIGINT NOT NULL CHECK (listed >= 0) CHECK ("listed" = CAST("listed" AS BIGINT)),
  "not_booked" BIGINT NOT NULL CHECK (not_booked >= 0) CHECK ("not_booked" = CAST("not_booked" AS BIGINT)),
  "first_on" DATE,
  "last_on" DATE,
  "imported_at" TIMESTAMP NOT NULL)
;
CREATE UNIQUE INDEX "bank_statement_sha256_position" ON "bank_statement" ("sha256", "position")
;
CREATE TABLE "bank_transfer" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "statement_id" INTEGER NOT NULL,
  "account" VARCHAR(34) NOT NULL CHECK (length("account") <= 34),
  "key" VARCHAR(50) NOT NULL CHECK (length("key") <= 50),
  "part" SMALLINT NOT NULL CHECK (part >= 0),
  "is_debit" BOOLEAN NOT NULL,
  "amount_minor" BIGINT NOT NULL CHECK (amount_minor >= 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "booked_on" DATE NOT NULL,
  "bank_reference" VARCHAR(70) NOT NULL CHECK (length("bank_reference") <= 70),
  "payer_name" VARCHAR(140) NOT NULL CHECK (length("payer_name") <= 140),
  "payer_iban" VARCHAR(34) NOT NULL CHECK (length("payer_iban") <= 34),
  "end_to_end_id" VARCHAR(70) NOT NULL CHECK (length("end_to_end_id") <= 70),
  "reference" VARCHAR(70) NOT NULL CHECK (length("reference") <= 70),
  "texts" JSONB NOT NULL,
  "is_batch" BOOLEAN NOT NULL,
  "goes_back" BOOLEAN NOT NULL,
  "state" VARCHAR(10) NOT NULL CHECK ("state" IN ('received', 'matched', 'to_confirm', 'parked', 'returned', 'ignored')),
  "reason" VARCHAR(19) NOT NULL CHECK ("reason" IN ('none', 'reference', 'cut_reference', 'numbers', 'invoice_number', 'customer_and_amount', 'account_and_amount', 'operator', 'unknown', 'wrong_currency', 'several_workspaces', 'workspace_deleted', 'maybe_known', 'batch', 'sent_back_to_us', 'takes_back', 'takes_back_unknown', 'debit', 'nothing', 'detailed', 'not_ours')),
  "workspace_id" INTEGER,
  "invoice_ids" JSONB NOT NULL,
  "takes_back_id" INTEGER,
  "note" VARCHAR(500) NOT NULL CHECK (length("note") <= 500),
  "decided_at" TIMESTAMP,
  FOREIGN KEY ("statement_id") REFERENCES "bank_statement" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("takes_back_id") REFERENCES "bank_transfer" ("id") ON DELETE RESTRICT,
  CHECK (takes_back_id IS NULL OR is_debit),
  CHECK (state NOT IN ('matched', 'to_confirm') OR is_debit OR workspace_id IS NOT NULL))
;
CREATE INDEX "bank_transfer_workspace_id" ON "bank_transfer" ("workspace_id")
;
CREATE UNIQUE INDEX "bank_transfer_takes_back_id" ON "bank_transfer" ("takes_back_id")
;
CREATE UNIQUE INDEX "bank_transfer_account_key_part" ON "bank_transfer" ("account", "key", "part")
;
CREATE INDEX "bank_transfer_statement_id_id" ON "bank_transfer" ("statement_id", "id")
;
CREATE INDEX "bank_transfer_amount_minor_booked_on" ON "bank_transfer" ("amount_minor", "booked_on")
;
CREATE INDEX "bank_transfer_waiting" ON "bank_transfer" ("id") WHERE "state" IN ('to_confirm', 'parked')
;
CREATE INDEX "bank_transfer_of_payer" ON "bank_transfer" ("payer_iban") WHERE "payer_iban" <> ''
;
CREATE TABLE "bank_csv_mapping" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "fingerprint" VARCHAR(64) NOT NULL CHECK (length("fingerprint") <= 64),
  "columns" JSONB NOT NULL,
  "used_at" TIMESTAMP NOT NULL)
;
CREATE UNIQUE INDEX "bank_csv_mapping_fingerprint" ON "bank_csv_mapping" ("fingerprint")
;
CREATE TABLE "bank_csv_upload" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "sha256" VARCHAR(64) NOT NULL CHECK (length("sha256") <= 64),
  "file_name" VARCHAR(200) NOT NULL CHECK (length("file_name") <= 200),
  "content" BYTEA NOT NULL,
  "uploaded_at" TIMESTAMP NOT NULL)
;
CREATE UNIQUE INDEX "bank_csv_upload_sha256" ON "bank_csv_upload" ("sha256")
;
CREATE INDEX "bank_csv_upload_uploaded_at" ON "bank_csv_upload" ("uploaded_at")
;
DROP INDEX "balance_entry_beside_charges"
;
ALTER TABLE "balance_entry" ALTER COLUMN "kind" TYPE VARCHAR(15)
;
CREATE INDEX "balance_entry_beside_charges" ON "balance_entry" ("workspace_id", "id") WHERE "kind" NOT IN ('invoice', 'payment', 'transfer', 'transfer_return')
;
ALTER TABLE "balance_entry" ADD COLUMN "transfer_id" INTEGER REFERENCES "bank_transfer" ("id") ON DELETE RESTRICT
;
ALTER TABLE "balance_entry" DROP CONSTRAINT "balance_entry_kind_check"
;
ALTER TABLE "balance_entry" ADD CHECK ("kind" IN ('invoice', 'credit_note', 'payment', 'refund', 'credit', 'withdrawal', 'transfer', 'transfer_return'))
;
ALTER TABLE "balance_entry" DROP CONSTRAINT "balance_entry_check3"
;
ALTER TABLE "balance_entry" DROP CONSTRAINT "balance_entry_check"
;
ALTER TABLE "balance_entry" DROP CONSTRAINT "balance_entry_check4"
;
ALTER TABLE "balance_entry" ADD CHECK ((kind IN ('invoice', 'credit_note')) = (invoice_id IS NOT NULL))
;
ALTER TABLE "balance_entry" ADD CHECK ((kind IN ('credit', 'withdrawal')) = (credit_id IS NOT NULL))
;
ALTER TABLE "balance_entry" ADD CHECK ((kind IN ('transfer', 'transfer_return')) = (transfer_id IS NOT NULL))
;
ALTER TABLE "balance_entry" ADD CHECK (amount_minor = 0 OR (amount_minor > 0) = (kind IN ('payment', 'credit_note', 'credit', 'transfer')))
;
CREATE UNIQUE INDEX "balance_entry_of_transfer" ON "balance_entry" ("transfer_id") WHERE ("transfer_id" IS NOT NULL)
;
ALTER TABLE "allocation" ADD COLUMN "transfer_id" INTEGER REFERENCES "bank_transfer" ("id") ON DELETE RESTRICT
;
ALTER TABLE "allocation" DROP CONSTRAINT "allocation_amount_minor_check"
;
ALTER TABLE "allocation" DROP CONSTRAINT "allocation_check"
;
ALTER TABLE "allocation" ADD CHECK (amount_minor <> 0)
;
ALTER TABLE "allocation" ADD CHECK (CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END + CASE WHEN refund_id IS NULL THEN 0 ELSE 1 END + CASE WHEN withdrawal_id IS NULL THEN 0 ELSE 1 END + CASE WHEN transfer_id IS NULL THEN 0 ELSE 1 END = 1)
;
ALTER TABLE "allocation" ADD CHECK (amount_minor > 0 OR invoice_id IS NOT NULL)
;
CREATE UNIQUE INDEX "allocation_of_transfers" ON "allocation" ("transfer_id", "entry_id") WHERE ("transfer_id" IS NOT NULL)
;
DROP INDEX "allocation_invoice_id_entry_id"
;
CREATE INDEX "allocation_invoice_id_entry_id" ON "allocation" ("invoice_id", "entry_id")
