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
