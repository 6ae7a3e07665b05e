CREATE TABLE "new_billing_details" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "is_business" INTEGER NOT NULL,
  "company_name" VARCHAR(200) NOT NULL CHECK (length("company_name") <= 200),
  "vat_number" VARCHAR(20) NOT NULL CHECK (length("vat_number") <= 20),
  "vat_status" VARCHAR(9) NOT NULL CHECK ("vat_status" IN ('none', 'unchecked', 'valid', 'invalid')),
  "first_name" VARCHAR(200) NOT NULL CHECK (length("first_name") <= 200),
  "last_name" VARCHAR(200) NOT NULL CHECK (length("last_name") <= 200),
  "street" VARCHAR(200) NOT NULL CHECK (length("street") <= 200),
  "street2" VARCHAR(200) NOT NULL CHECK (length("street2") <= 200),
  "postal_code" VARCHAR(20) NOT NULL CHECK (length("postal_code") <= 20),
  "city" VARCHAR(200) NOT NULL CHECK (length("city") <= 200),
  "region" VARCHAR(100) NOT NULL CHECK (length("region") <= 100),
  "country" VARCHAR(2) NOT NULL CHECK (length("country") <= 2),
  "email" VARCHAR(254) NOT NULL CHECK (length("email") <= 254),
  "tax_number" VARCHAR(40) NOT NULL CHECK (length("tax_number") <= 40),
  "legal_number" VARCHAR(40) NOT NULL CHECK (length("legal_number") <= 40),
  "legal_status" VARCHAR(40) NOT NULL CHECK (length("legal_status") <= 40),
  "electronic_address" VARCHAR(120) NOT NULL CHECK (length("electronic_address") <= 120),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT)
;
INSERT INTO "new_billing_details" ("id", "workspace_id", "is_business", "company_name", "vat_number", "vat_status", "first_name", "last_name", "street", "street2", "postal_code", "city", "region", "country", "email", "tax_number", "legal_number", "legal_status", "electronic_address")
  SELECT "id", "workspace_id", "is_business", "company_name", "vat_number", "vat_status", "first_name", "last_name", "street", "street2", "postal_code", "city", "region", "country", "email", "tax_number", '', '', '' FROM "billing_details"
;
DROP TABLE "billing_details"
;
ALTER TABLE "new_billing_details" RENAME TO "billing_details"
;
CREATE UNIQUE INDEX "billing_details_workspace_id" ON "billing_details" ("workspace_id")
;
CREATE TABLE "exchange_rate" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "base" VARCHAR(3) NOT NULL CHECK (length("base") = 3 AND "base" = upper("base")),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "rate_on" DATE NOT NULL,
  "millionths" INTEGER NOT NULL CHECK (millionths > 0) CHECK ("millionths" = CAST("millionths" AS BIGINT)),
  "source" VARCHAR(200) NOT NULL CHECK (length("source") <= 200),
  "added_by_id" INTEGER,
  "added_at" DATETIME NOT NULL,
  FOREIGN KEY ("added_by_id") REFERENCES "person" ("id") ON DELETE SET NULL)
;
CREATE INDEX "exchange_rate_base_currency_rate_on" ON "exchange_rate" ("base", "currency", "rate_on")
