ALTER TABLE "subscription" ADD COLUMN "trial_until" DATE
;
ALTER TABLE "subscription" ADD COLUMN "cancelled_at" TIMESTAMP
;
ALTER TABLE "subscription" ADD COLUMN "scheduled_quantity" BIGINT CHECK (scheduled_quantity > 0) CHECK ("scheduled_quantity" = CAST("scheduled_quantity" AS BIGINT))
