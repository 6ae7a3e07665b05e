ALTER TABLE "payment_method" ADD COLUMN "rank" SMALLINT NOT NULL DEFAULT 0
;
ALTER TABLE "payment_method" ADD COLUMN "mandate_reference" VARCHAR(35) NOT NULL DEFAULT '' CHECK (length("mandate_reference") <= 35)
;
ALTER TABLE "payment_method" ADD COLUMN "mandate_on" DATE
;
ALTER TABLE "payment_method" ADD COLUMN "expiry_look_at" TIMESTAMP
;
UPDATE "payment_method" SET "expiry_look_at" = "created_at" WHERE "exp_year" IS NOT NULL AND "removed_at" IS NULL
;
CREATE INDEX "payment_method_expiry_look_at" ON "payment_method" ("expiry_look_at")
;
ALTER TABLE "method_setup" ADD COLUMN "kind" VARCHAR(13) NOT NULL DEFAULT 'card' CHECK ("kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer'))
;
ALTER TABLE "method_setup" ADD COLUMN "mandate_reference" VARCHAR(35) NOT NULL DEFAULT '' CHECK (length("mandate_reference") <= 35)
;
ALTER TABLE "method_setup" ADD COLUMN "mandate_on" DATE
;
CREATE TABLE "method_notice" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "method_id" INTEGER NOT NULL,
  "kind" VARCHAR(18) NOT NULL CHECK ("kind" IN ('expires_in_a_month', 'expires_in_a_week')),
  "about_on" DATE NOT NULL,
  "said_on" DATE NOT NULL,
  FOREIGN KEY ("method_id") REFERENCES "payment_method" ("id") ON DELETE CASCADE)
;
CREATE INDEX "method_notice_method_id" ON "method_notice" ("method_id")
;
CREATE UNIQUE INDEX "method_notice_method_id_about_on_kind" ON "method_notice" ("method_id",
  "about_on",
  "kind")
