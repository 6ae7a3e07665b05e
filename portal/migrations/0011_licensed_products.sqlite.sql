CREATE TABLE "new_product" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "code" VARCHAR(60) NOT NULL CHECK (length("code") <= 60),
  "names" TEXT NOT NULL,
  "kind" VARCHAR(14) NOT NULL CHECK ("kind" IN ('workspace_plan', 'licensed')),
  "change_policy" VARCHAR(7) NOT NULL CHECK ("change_policy" IN ('extend', 'prorate')),
  "trial_days" INTEGER NOT NULL CHECK (trial_days >= 0) CHECK ("trial_days" = CAST("trial_days" AS BIGINT)),
  "grace_days" INTEGER CHECK (grace_days >= 0) CHECK ("grace_days" = CAST("grace_days" AS BIGINT)),
  "bank_transfer" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "withdrawn" INTEGER NOT NULL,
  "revision" VARCHAR(32) NOT NULL CHECK (length("revision") <= 32),
  "max_licences" INTEGER CHECK (max_licences > 0) CHECK ("max_licences" = CAST("max_licences" AS BIGINT)),
  "trial_licences" INTEGER NOT NULL CHECK (trial_licences > 0) CHECK ("trial_licences" = CAST("trial_licences" AS BIGINT)),
  "licence_keys" INTEGER NOT NULL,
  "renewal_day" VARCHAR(6) NOT NULL CHECK ("renewal_day" IN ('keep', 'change')),
  "features" TEXT NOT NULL)
;
INSERT INTO "new_product" ("id", "code", "names", "kind", "change_policy", "trial_days", "grace_days", "bank_transfer", "position", "withdrawn", "revision", "trial_licences", "licence_keys", "renewal_day", "features")
  SELECT "id", "code", "names", "kind", "change_policy", "trial_days", "grace_days", "bank_transfer", "position", "withdrawn", "revision", 1, 0, 'keep', '[]' FROM "product"
;
DROP TABLE "product"
;
ALTER TABLE "new_product" RENAME TO "product"
;
CREATE UNIQUE INDEX "product_code" ON "product" ("code")
