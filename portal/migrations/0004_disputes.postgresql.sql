ALTER TABLE "workspace" ADD COLUMN "day_reached" DATE
;
ALTER TABLE "payment_method" ADD COLUMN "stopped_at" TIMESTAMP
;
ALTER TABLE "subscription" ADD COLUMN "announced_net_minor" BIGINT CHECK (announced_net_minor >= 0) CHECK ("announced_net_minor" = CAST("announced_net_minor" AS BIGINT))
;
UPDATE "subscription" SET "announced_net_minor" = (
    SELECT "net_minor" FROM "purchase_order" WHERE "purchase_order"."workspace_id" = "subscription"."workspace_id"
      AND "state" = 'paid' AND "total_minor" = "announced_minor" ORDER BY "purchase_order"."id" DESC LIMIT 1)
  WHERE "auto_renewal" AND "scheduled_plan_id" IS NULL
;
CREATE TABLE "dispute" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "payment_id" INTEGER NOT NULL,
  "event_id" VARCHAR(200) NOT NULL CHECK (length("event_id") <= 200),
  "payload" TEXT NOT NULL,
  "opened_at" TIMESTAMP NOT NULL,
  "created_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_id") REFERENCES "payment" ("id") ON DELETE RESTRICT)
;
CREATE INDEX "dispute_workspace_id" ON "dispute" ("workspace_id")
;
CREATE UNIQUE INDEX "dispute_payment_id" ON "dispute" ("payment_id")
;
CREATE TABLE "gateway_cursor" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "name" VARCHAR(20) NOT NULL CHECK (length("name") <= 20),
  "event_id" VARCHAR(200) NOT NULL CHECK (length("event_id") <= 200))
;
CREATE UNIQUE INDEX "gateway_cursor_name" ON "gateway_cursor" ("name")
