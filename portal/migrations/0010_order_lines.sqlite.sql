CREATE TABLE "order_line" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "order_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL CHECK (position > 0),
  "kind" VARCHAR(7) NOT NULL CHECK ("kind" IN ('buy', 'prolong', 'change', 'renewal')),
  "subscription_id" INTEGER,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "quantity" INTEGER NOT NULL CHECK (quantity > 0) CHECK ("quantity" = CAST("quantity" AS BIGINT)),
  "start_on" DATE NOT NULL,
  "base_end_on" DATE NOT NULL,
  "end_on" DATE NOT NULL,
  "anchor_day" INTEGER NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
  "net_minor" INTEGER NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" INTEGER NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "renews_on" DATE,
  "refunded_at" DATETIME,
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
    "o"."plan_id", json_extract("o"."quote", '$.price_id'), "o"."interval", 1,
    json_extract("o"."quote", '$.start_on'), json_extract("o"."quote", '$.base_end_on'), json_extract("o"."quote", '$.due_on'),
    json_extract("o"."quote", '$.anchor_day'), "o"."net_minor", "o"."tax_minor", "o"."renews_on",
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
CREATE TABLE "new_subscription_period" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "subscription_id" INTEGER NOT NULL,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER,
  "line_id" INTEGER,
  "start_on" DATE NOT NULL,
  "base_end_on" DATE,
  "end_on" DATE,
  "net_minor" INTEGER NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "currency" VARCHAR(3) CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "created_at" DATETIME NOT NULL,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("line_id") REFERENCES "order_line" ("id") ON DELETE RESTRICT,
  CHECK (end_on IS NULL OR end_on >= start_on))
;
INSERT INTO "new_subscription_period" ("id", "subscription_id", "plan_id", "price_id", "line_id", "start_on", "base_end_on", "end_on", "net_minor", "currency", "created_at")
  SELECT "id", "subscription_id", "plan_id", "price_id",
    (SELECT "l"."id" FROM "order_line" AS "l" WHERE "l"."order_id" = "subscription_period"."order_id"),
    "start_on", "base_end_on", "end_on", "net_minor", "currency", "created_at" FROM "subscription_period"
;
DROP TABLE "subscription_period"
;
ALTER TABLE "new_subscription_period" RENAME TO "subscription_period"
;
CREATE INDEX "subscription_period_subscription_id" ON "subscription_period" ("subscription_id")
;
CREATE INDEX "subscription_period_plan_id" ON "subscription_period" ("plan_id")
;
CREATE INDEX "subscription_period_price_id" ON "subscription_period" ("price_id")
;
CREATE UNIQUE INDEX "subscription_period_line_id" ON "subscription_period" ("line_id")
;
CREATE INDEX "subscription_period_subscription_id_end_on" ON "subscription_period" ("subscription_id", "end_on")
;
CREATE TABLE "new_purchase_order" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "number" VARCHAR(20) NOT NULL CHECK (length("number") <= 20),
  "workspace_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "state" VARCHAR(8) NOT NULL CHECK ("state" IN ('open', 'placed', 'paid', 'refunded')),
  "display_currency" VARCHAR(3) NOT NULL CHECK (length("display_currency") = 3 AND "display_currency" = upper("display_currency")),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "method_kind" VARCHAR(13) NOT NULL CHECK ("method_kind" IN ('card', 'paypal', 'sepa_debit', 'bank_transfer')),
  "details" TEXT,
  "quote" TEXT NOT NULL,
  "quote_hash" VARCHAR(64) NOT NULL CHECK (length("quote_hash") <= 64),
  "net_minor" INTEGER NOT NULL CHECK (net_minor >= 0) CHECK ("net_minor" = CAST("net_minor" AS BIGINT)),
  "tax_minor" INTEGER NOT NULL CHECK (tax_minor >= 0) CHECK ("tax_minor" = CAST("tax_minor" AS BIGINT)),
  "total_minor" INTEGER NOT NULL CHECK (total_minor >= 0) CHECK ("total_minor" = CAST("total_minor" AS BIGINT)),
  "auto_renewal" INTEGER NOT NULL,
  "created_at" DATETIME NOT NULL,
  "paid_at" DATETIME,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT,
  CHECK (net_minor + tax_minor = total_minor))
;
INSERT INTO "new_purchase_order" ("id", "number", "workspace_id", "person_id", "state", "display_currency", "currency", "method_kind", "details", "quote", "quote_hash", "net_minor", "tax_minor", "total_minor", "auto_renewal", "created_at", "paid_at")
  SELECT "id", "number", "workspace_id", "person_id", "state", "display_currency", "currency", "method_kind", "details", "quote", "quote_hash", "net_minor", "tax_minor", "total_minor", "auto_renewal", "created_at", "paid_at" FROM "purchase_order"
;
DROP TABLE "purchase_order"
;
ALTER TABLE "new_purchase_order" RENAME TO "purchase_order"
;
CREATE UNIQUE INDEX "purchase_order_number" ON "purchase_order" ("number")
;
CREATE INDEX "purchase_order_workspace_id" ON "purchase_order" ("workspace_id")
;
CREATE INDEX "purchase_order_person_id" ON "purchase_order" ("person_id")
;
CREATE INDEX "purchase_order_workspace_id_created_at" ON "purchase_order" ("workspace_id", "created_at")
;
CREATE INDEX "purchase_order_workspace_id_id" ON "purchase_order" ("workspace_id", "id")
;
CREATE INDEX "purchase_order_person_id_id" ON "purchase_order" ("person_id", "id")
