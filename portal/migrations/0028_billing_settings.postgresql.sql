ALTER TABLE "billing_details" ADD COLUMN "purchase_order" VARCHAR(300) NOT NULL DEFAULT '' CHECK (length("purchase_order") <= 300)
;
ALTER TABLE "workspace" ADD COLUMN "change_notices" VARCHAR(7) NOT NULL DEFAULT 'each' CHECK ("change_notices" IN ('each', 'monthly'))
;
CREATE TABLE "change_notice" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "key" VARCHAR(120) NOT NULL CHECK (length("key") <= 120),
  "template" VARCHAR(60) NOT NULL CHECK (length("template") <= 60),
  "context" JSONB NOT NULL,
  "noted_on" DATE NOT NULL,
  "sent_on" DATE,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE CASCADE)
;
CREATE UNIQUE INDEX "change_notice_key" ON "change_notice" ("key")
;
CREATE INDEX "change_notice_workspace_id_sent_on" ON "change_notice" ("workspace_id", "sent_on")
;
CREATE INDEX "change_notice_waiting" ON "change_notice" ("noted_on") WHERE ("sent_on" IS NULL)
;
CREATE TABLE "vat_check" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "vat_number" VARCHAR(20) NOT NULL CHECK (length("vat_number") <= 20),
  "is_valid" BOOLEAN NOT NULL,
  "consultation_number" VARCHAR(60) NOT NULL CHECK (length("consultation_number") <= 60),
  "answered_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "vat_check_workspace_id_vat_number" ON "vat_check" ("workspace_id", "vat_number")
