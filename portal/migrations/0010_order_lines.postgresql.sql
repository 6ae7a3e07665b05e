CREATE TABLE "order_line" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "order_id" INTEGER NOT NULL,
  "position" SMALLINT NOT NULL CHECK (position > 0),
  "kind" VARCHAR(7) NOT NULL CHECK ("kind" IN ('buy', 'prolong', 'change', 'renewal')),
  "subscription_id" INTEGER,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "quantity" BIGINT NOT NULL CHECK (quantity > 0) CHECK ("quantity" = CAST("quantity" AS BIGINT)),
  "start_on" DATE NOT NULL,
  "base_end_on" DATE NOT NULL,
  "end_on" DATE NOT NULL,
  "anchor_day" SMALLINT NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
  "net_minor" BIGINT NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" BIGINT NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "renews_on" DATE,
  "refunded_at" TIMESTAMP,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT,
  CHECK (base_end_on > start_on AND end_on >= base_end_on))
;
INSERT INTO "order_line" ("order_id", "position", "kind", "subscription_id", "plan_id", "price_id", "interval", "quantity",
  "start_on", "base_end_on", "end_on", "anchor_day", "net_minor", "tax_minor", "renews_on", "refunded_at")
  SELECT "o"."id", 1, "o"."kind",
    COALESCE("o"."subscription_id", (
      SELECT "s"."id" FROM "subscription" AS "s" WHERE "s"."workspace_id" = "o"."workspace_id" AND "s"."product_id" = "p"."product_id")),
    "o"."plan_id", CAST("o"."quote" ->> 'price_id' AS INTEGER), "o"."interval", 1,
    CAST("o"."quote" ->> 'start_on' AS DATE), CAST("o"."quote" ->> 'base_end_on' AS DATE), CAST("o"."quote" ->> 'due_on' AS DATE),
    CAST("o"."quote" ->> 'anchor_day' AS SMALLINT), "o"."net_minor", "o"."tax_minor", "o"."renews_on",
    CASE WHEN "o"."state" = 'refunded' THEN COALESCE((
      SELECT MAX("i"."issued_at") FROM "invoice" AS "i" WHERE "i"."order_id" = "o"."id" AND "i"."kind" = 'credit_note'), "o"."paid_at") END
  FROM "purchase_order" AS "o" JOIN "plan" AS "p" ON "p"."id" = "o"."plan_id" ORDER BY "o"."id"
;
CREATE INDEX "order_line_subscription_id" ON "order_line" ("subscription_id")
;
CREATE UNIQUE INDEX "order_line_order_id_position" ON "order_line" ("order_id", "position")
;
CREATE UNIQUE INDEX "order_line_one_renewal_per_due_date" ON "order_line" ("subscription_id", "renews_on") WHERE ("refunded_at" IS NULL)
;
ALTER TABLE "subscription_period" ADD COLUMN "line_id" INTEGER REFERENCES "order_line" ("id") ON DELETE RESTRICT
;
UPDATE "subscription_period" SET "line_id" = "order_line"."id" FROM "order_line" WHERE "order_line"."order_id" = "subscription_period"."order_id"
;
CREATE UNIQUE INDEX "subscription_period_line_id" ON "subscription_period" ("line_id")
;
ALTER TABLE "subscription_period" DROP COLUMN "order_id"
;
ALTER TABLE "purchase_order" DROP COLUMN "kind", DROP COLUMN "plan_id", DROP COLUMN "interval", DROP COLUMN "subscription_id", DROP COLUMN "renews_on"
