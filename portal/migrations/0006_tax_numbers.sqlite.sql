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
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT)
;
INSERT INTO "new_billing_details" ("id", "workspace_id", "is_business", "company_name", "vat_number", "vat_status", "first_name", "last_name", "street", "street2", "postal_code", "city", "region", "country", "email", "tax_number")
  SELECT "id", "workspace_id", "is_business", "company_name", "vat_number", "vat_status", "first_name", "last_name", "street", "street2", "postal_code", "city", "region", "country", "email", '' FROM "billing_details"
;
DROP TABLE "billing_details"
;
ALTER TABLE "new_billing_details" RENAME TO "billing_details"
;
CREATE UNIQUE INDEX "billing_details_workspace_id" ON "billing_details" ("workspace_id")
