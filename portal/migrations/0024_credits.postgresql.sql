CREATE TABLE "credit" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "amount_minor" BIGINT NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "reason" VARCHAR(200) NOT NULL CHECK (length("reason") <= 200),
  "takes_back_id" INTEGER,
  "made_at" TIMESTAMP NOT NULL,
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
ALTER TABLE "balance_entry" DROP CONSTRAINT "balance_entry_kind_check"
;
ALTER TABLE "balance_entry" ADD CONSTRAINT "balance_entry_kind_check" CHECK ("kind" IN ('invoice', 'credit_note', 'payment', 'refund', 'credit', 'withdrawal'))
;
ALTER TABLE "balance_entry" DROP CONSTRAINT "balance_entry_check3"
;
ALTER TABLE "balance_entry" ADD CONSTRAINT "balance_entry_check3" CHECK (amount_minor = 0 OR (amount_minor > 0) = (kind IN ('payment', 'credit_note', 'credit')))
;
ALTER TABLE "balance_entry" ADD COLUMN "credit_id" INTEGER REFERENCES "credit" ("id") ON DELETE RESTRICT
;
ALTER TABLE "balance_entry" ADD CONSTRAINT "balance_entry_check4" CHECK ((kind IN ('credit', 'withdrawal')) = (credit_id IS NOT NULL))
;
ALTER TABLE "balance_entry" ADD COLUMN "after_minor" BIGINT CHECK ("after_minor" = CAST("after_minor" AS BIGINT))
;
UPDATE "balance_entry" SET "after_minor" = "sums"."after_minor"
  FROM (SELECT "id", SUM("amount_minor") OVER (PARTITION BY "workspace_id", "currency" ORDER BY "id") AS "after_minor" FROM "balance_entry") AS "sums"
  WHERE "sums"."id" = "balance_entry"."id"
;
ALTER TABLE "balance_entry" ALTER COLUMN "after_minor" SET NOT NULL
;
CREATE INDEX "balance_entry_workspace_id_currency_id" ON "balance_entry" ("workspace_id", "currency", "id")
;
CREATE INDEX "balance_entry_workspace_id_made_at_id" ON "balance_entry" ("workspace_id", "made_at", "id")
;
CREATE INDEX "balance_entry_beside_charges" ON "balance_entry" ("workspace_id", "id") WHERE "kind" NOT IN ('invoice', 'payment')
;
CREATE UNIQUE INDEX "balance_entry_of_credit" ON "balance_entry" ("credit_id") WHERE ("credit_id" IS NOT NULL)
;
ALTER TABLE "allocation" ADD COLUMN "withdrawal_id" INTEGER REFERENCES "credit" ("id") ON DELETE RESTRICT
;
ALTER TABLE "allocation" DROP CONSTRAINT "allocation_check"
;
ALTER TABLE "allocation" ADD CONSTRAINT "allocation_check" CHECK (CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END + CASE WHEN refund_id IS NULL THEN 0 ELSE 1 END + CASE WHEN withdrawal_id IS NULL THEN 0 ELSE 1 END = 1)
;
CREATE UNIQUE INDEX "allocation_of_withdrawals" ON "allocation" ("withdrawal_id", "entry_id") WHERE ("withdrawal_id" IS NOT NULL)
;
CREATE INDEX "audit_entry_in_history" ON "audit_entry" ("workspace_id", "id") WHERE "action" IN ('plan.begun', 'plan.scheduled', 'plan.schedule_withdrawn', 'plan.free_begun', 'trial.started', 'trial.extended', 'subscription.cancelled', 'subscription.cancellation_taken_back', 'auto_renewal.on', 'auto_renewal.off', 'nonprofit.accepted', 'member.invited', 'member.joined', 'member.enabled', 'member.disabled', 'member.made_guest', 'member.made_user', 'member.removed', 'member.role_changed', 'licence.assigned', 'licence.taken_back')
