ALTER TABLE "method_setup" ADD COLUMN "renews" TEXT
