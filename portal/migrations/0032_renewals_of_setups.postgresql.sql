ALTER TABLE "method_setup" ADD COLUMN "renews" JSONB
