ALTER TABLE "purchase_order" ADD COLUMN "from_balance_minor" BIGINT NOT NULL DEFAULT 0 CHECK (from_balance_minor BETWEEN 0 AND total_minor) CHECK ("from_balance_minor" = CAST("from_balance_minor" AS BIGINT))
;
ALTER TABLE "purchase_order" ADD COLUMN "reserved_minor" BIGINT NOT NULL DEFAULT 0 CHECK (reserved_minor BETWEEN 0 AND from_balance_minor) CHECK ("reserved_minor" = CAST("reserved_minor" AS BIGINT))
;
CREATE INDEX "purchase_order_reserves_balance" ON "purchase_order" ("workspace_id") WHERE (("state" = 'placed') AND ("reserved_minor" > 0))
;
ALTER TABLE "payment" DROP CONSTRAINT "payment_method_kind_check1"
;
ALTER TABLE "payment" ADD CONSTRAINT "payment_method_kind_check1" CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer', 'balance'))
