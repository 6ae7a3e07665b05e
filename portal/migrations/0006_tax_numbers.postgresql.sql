ALTER TABLE "billing_details" ADD COLUMN "tax_number" VARCHAR(40) CHECK (length("tax_number") <= 40)
;
UPDATE "billing_details" SET "tax_number" = ''
;
ALTER TABLE "billing_details" ALTER COLUMN "tax_number" SET NOT NULL
