CREATE TABLE "credit" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "amount_minor" INTEGER NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "reason" VARCHAR(200) NOT NULL CHECK (length("reason") <= 200),
  "takes_back_id" INTEGER,
  "made_at" DATETIME NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("takes_back_id") REFERENCES "credit" ("id") ON DELETE RESTRICT,
  CHECK (length(reason) > 0))
;
CREATE UNIQUE INDEX "credit_key" ON "credit" ("key")
;
CREATE INDEX "credit_workspace_id" ON "credit" ("workspace_id")
;
CREATE INDEX "credit_takes_back_id" ON "credit" ("takes_back_id")
;
CREATE TABLE "new_balance_entry" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "amount_minor" INTEGER NOT NULL CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "after_minor" INTEGER NOT NULL CHECK ("after_minor" = CAST("after_minor" AS BIGINT)),
  "kind" VARCHAR(11) NOT NULL CHECK ("kind" IN ('invoice', 'credit_note', 'payment', 'refund', 'credit', 'withdrawal')),
  "invoice_id" INTEGER,
  "payment_id" INTEGER,
  "refund_id" INTEGER,
  "credit_id" INTEGER,
  "made_at" DATETIME NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_id") REFERENCES "payment" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("refund_id") REFERENCES "refund" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("credit_id") REFERENCES "credit" ("id") ON DELETE RESTRICT,
  CHECK ((kind IN ('invoice', 'credit_note')) = (invoice_id IS NOT NULL)),
  CHECK ((kind = 'payment') = (payment_id IS NOT NULL)),
  CHECK ((kind = 'refund') = (refund_id IS NOT NULL)),
  CHECK ((kind IN ('credit', 'withdrawal')) = (credit_id IS NOT NULL)),
  CHECK (amount_minor = 0 OR (amount_minor > 0) = (kind IN ('payment', 'credit_note', 'credit'))))
;
INSERT INTO "new_balance_entry" ("id", "workspace_id", "currency", "amount_minor", "after_minor", "kind", "invoice_id", "payment_id", "refund_id", "made_at")
  SELECT "id", "workspace_id", "currency", "amount_minor", SUM("amount_minor") OVER (PARTITION BY "workspace_id", "currency" ORDER BY "id"),
    "kind", "invoice_id", "payment_id", "refund_id", "made_at" FROM "balance_entry" ORDER BY "id"
;
DROP TABLE "balance_entry"
;
ALTER TABLE "new_balance_entry" RENAME TO "balance_entry"
;
CREATE INDEX "balance_entry_workspace_id_id" ON "balance_entry" ("workspace_id", "id")
;
CREATE UNIQUE INDEX "balance_entry_of_invoice" ON "balance_entry" ("invoice_id") WHERE ("invoice_id" IS NOT NULL)
;
CREATE UNIQUE INDEX "balance_entry_of_payment" ON "balance_entry" ("payment_id") WHERE ("payment_id" IS NOT NULL)
;
CREATE UNIQUE INDEX "balance_entry_of_refund" ON "balance_entry" ("refund_id") WHERE ("refund_id" IS NOT NULL)
;
CREATE INDEX "balance_entry_workspace_id_currency_id" ON "balance_entry" ("workspace_id", "currency", "id")
;
CREATE INDEX "balance_entry_workspace_id_made_at_id" ON "balance_entry" ("workspace_id", "made_at", "id")
;
CREATE INDEX "balance_entry_beside_charges" ON "balance_entry" ("workspace_id", "id") WHERE "kind" NOT IN ('invoice', 'payment')
;
CREATE UNIQUE INDEX "balance_entry_of_credit" ON "balance_entry" ("credit_id") WHERE ("credit_id" IS NOT NULL)
;
CREATE TABLE "new_allocation" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "entry_id" INTEGER NOT NULL,
  "invoice_id" INTEGER,
  "refund_id" INTEGER,
  "withdrawal_id" INTEGER,
  "amount_minor" INTEGER NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  FOREIGN KEY ("entry_id") REFERENCES "balance_entry" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("refund_id") REFERENCES "refund" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("withdrawal_id") REFERENCES "credit" ("id") ON DELETE RESTRICT,
  CHECK (CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END + CASE WHEN refund_id IS NULL THEN 0 ELSE 1 END + CASE WHEN withdrawal_id IS NULL THEN 0 ELSE 1 END = 1))
;
INSERT INTO "new_allocation" ("id", "entry_id", "invoice_id", "refund_id", "amount_minor")
  SELECT "id", "entry_id", "invoice_id", "refund_id", "amount_minor" FROM "allocation" ORDER BY "id"
;
DROP TABLE "allocation"
;
ALTER TABLE "new_allocation" RENAME TO "allocation"
;
CREATE INDEX "allocation_entry_id" ON "allocation" ("entry_id")
;
CREATE UNIQUE INDEX "allocation_invoice_id_entry_id" ON "allocation" ("invoice_id", "entry_id")
;
CREATE UNIQUE INDEX "allocation_of_refunds" ON "allocation" ("refund_id", "entry_id") WHERE ("refund_id" IS NOT NULL)
;
CREATE UNIQUE INDEX "allocation_of_withdrawals" ON "allocation" ("withdrawal_id", "entry_id") WHERE ("withdrawal_id" IS NOT NULL)
;
CREATE INDEX "audit_entry_in_history" ON "audit_entry" ("workspace_id", "id") WHERE "action" IN ('plan.begun', 'plan.scheduled', 'plan.schedule_withdrawn', 'plan.free_begun', 'trial.started', 'trial.extended', 'subscription.cancelled', 'subscription.cancellation_taken_back', 'auto_renewal.on', 'auto_renewal.off', 'nonprofit.accepted', 'member.invited', 'member.joined', 'member.enabled', 'member.disabled', 'member.made_guest', 'member.made_user', 'member.removed', 'member.role_changed', 'licence.assigned', 'licence.taken_back')
