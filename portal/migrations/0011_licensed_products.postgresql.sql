ALTER TABLE "product" ADD COLUMN "max_licences" BIGINT CHECK (max_licences > 0) CHECK ("max_licences" = CAST("max_licences" AS BIGINT))
;
ALTER TABLE "product" ADD COLUMN "trial_licences" BIGINT CHECK (trial_licences > 0) CHECK ("trial_licences" = CAST("trial_licences" AS BIGINT))
;
UPDATE "product" SET "trial_licences" = 1
;
ALTER TABLE "product" ALTER COLUMN "trial_licences" SET NOT NULL
;
ALTER TABLE "product" ADD COLUMN "licence_keys" BOOLEAN
;
UPDATE "product" SET "licence_keys" = FALSE
;
ALTER TABLE "product" ALTER COLUMN "licence_keys" SET NOT NULL
;
ALTER TABLE "product" ADD COLUMN "renewal_day" VARCHAR(6) CHECK ("renewal_day" IN ('keep', 'change'))
;
UPDATE "product" SET "renewal_day" = 'keep'
;
ALTER TABLE "product" ALTER COLUMN "renewal_day" SET NOT NULL
;
ALTER TABLE "product" ADD COLUMN "features" JSONB
;
UPDATE "product" SET "features" = '[]'
;
ALTER TABLE "product" ALTER COLUMN "features" SET NOT NULL
