CREATE TABLE "cart_line" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "product_id" INTEGER NOT NULL,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "quantity" BIGINT NOT NULL CHECK (quantity > 0) CHECK ("quantity" = CAST("quantity" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "unit_minor" BIGINT NOT NULL CHECK (unit_minor >= 0) CHECK ("unit_minor" = CAST("unit_minor" AS BIGINT)),
  "order_id" INTEGER,
  "added_by_id" INTEGER,
  "changed_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("product_id") REFERENCES "product" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE SET NULL,
  FOREIGN KEY ("added_by_id") REFERENCES "person" ("id") ON DELETE SET NULL)
;
CREATE INDEX "cart_line_order_id" ON "cart_line" ("order_id")
;
CREATE INDEX "cart_line_added_by_id" ON "cart_line" ("added_by_id")
;
CREATE UNIQUE INDEX "cart_line_workspace_id_product_id" ON "cart_line" ("workspace_id", "product_id")
