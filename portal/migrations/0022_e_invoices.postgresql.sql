ALTER TABLE "billing_details" ADD COLUMN "legal_number" VARCHAR(40) CHECK (length("legal_number") <= 40)
;
ALTER TABLE "billing_details" ADD COLUMN "legal_status" VARCHAR(40) CHECK (length("legal_status") <= 40)
;
ALTER TABLE "billing_details" ADD COLUMN "electronic_address" VARCHAR(120) CHECK (length("electronic_address") <= 120)
;
UPDATE "billing_details" SET "legal_number" = '', "legal_status" = '', "electronic_address" = ''
;
ALTER TABLE "billing_details" ALTER COLUMN "legal_number" SET NOT NULL
;
ALTER TABLE "billing_details" ALTER COLUMN "legal_status" SET NOT NULL
;
ALTER TABLE "billing_details" ALTER COLUMN "electronic_address" SET NOT NULL
;
CREATE TABLE "exchange_rate" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "base" VARCHAR(3) NOT NULL CHECK (length("base") = 3 AND "base" = upper("base")),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "rate_on" DATE NOT NULL,
  "millionths" BIGINT NOT NULL CHECK (millionths > 0) CHECK ("millionths" = CAST("millionths" AS BIGINT)),
  "source" VARCHAR(200) NOT NULL CHECK (length("source") <= 200),
  "added_by_id" INTEGER,
  "added_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("added_by_id") REFERENCES "person" ("id") ON DELETE SET NULL)
;
CREATE INDEX "exchange_rate_base_currency_rate_on" ON "exchange_rate" ("base", "currency", "rate_on")
