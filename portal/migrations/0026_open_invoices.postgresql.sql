ALTER TABLE "purchase_order" RENAME COLUMN "paid_at" TO "given_at"
;
ALTER TABLE "purchase_order" ALTER COLUMN "state" TYPE VARCHAR(9)
;
ALTER TABLE "purchase_order" DROP CONSTRAINT "purchase_order_state_check"
;
ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_state_check" CHECK ("state" IN ('open', 'placed', 'invoiced', 'paid', 'refunded', 'withdrawn'))
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
ALTER TABLE "subscription" ADD COLUMN "pays_by_transfer" BOOLEAN NOT NULL DEFAULT false
;
ALTER TABLE "subscription" ADD COLUMN "unpaid_on" DATE
;
ALTER TABLE "workspace" ADD COLUMN "transfers_withheld" BOOLEAN NOT NULL DEFAULT false
