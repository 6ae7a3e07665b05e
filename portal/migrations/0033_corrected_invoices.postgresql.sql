ALTER TABLE "invoice" ADD COLUMN "replaced_by_id" INTEGER REFERENCES "invoice" ("id") ON DELETE RESTRICT CHECK (replaced_by_id IS NULL OR kind = 'invoice')
;
ALTER TABLE "invoice" ADD COLUMN "details" JSONB CHECK (details IS NULL OR kind = 'invoice')
;
CREATE UNIQUE INDEX "invoice_replaced_by" ON "invoice" ("replaced_by_id") WHERE ("replaced_by_id" IS NOT NULL)
;
DROP INDEX "invoice_one_per_order"
;
CREATE UNIQUE INDEX "invoice_one_per_order" ON "invoice" ("order_id") WHERE (("kind" = 'invoice') AND ("replaced_by_id" IS NULL))
