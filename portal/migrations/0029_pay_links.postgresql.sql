ALTER TABLE "link" DROP CONSTRAINT "link_purpose_check"
;
ALTER TABLE "link" ADD CONSTRAINT "link_purpose_check" CHECK ("purpose" IN ('magic', 'reset', 'invitation', 'new_email', 'undo_email', 'contact', 'pay'))
;
ALTER TABLE "link" ALTER COLUMN "expires_at" DROP NOT NULL
;
ALTER TABLE "link" ADD COLUMN "invoice_id" INTEGER REFERENCES "invoice" ("id") ON DELETE CASCADE
;
CREATE INDEX "link_invoice_id" ON "link" ("invoice_id")
;
ALTER TABLE "link" DROP CONSTRAINT "link_check"
;
ALTER TABLE "link" ADD CHECK (CASE WHEN person_id IS NULL THEN 0 ELSE 1 END + CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END + CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END = 1)
;
ALTER TABLE "link" ADD CHECK ((purpose = 'pay') = (invoice_id IS NOT NULL))
;
ALTER TABLE "link" ADD CHECK (expires_at IS NOT NULL OR invoice_id IS NOT NULL)
;
ALTER TABLE "payment" ADD COLUMN "by_link" BOOLEAN NOT NULL DEFAULT false
