ALTER TABLE "workspace" ADD COLUMN "ceiling_minor" BIGINT CHECK (ceiling_minor > 0) CHECK ("ceiling_minor" = CAST("ceiling_minor" AS BIGINT))
;
ALTER TABLE "workspace" ADD COLUMN "adviser_name" VARCHAR(200) CHECK (length("adviser_name") <= 200)
;
ALTER TABLE "workspace" ADD COLUMN "adviser_email" VARCHAR(254) CHECK (length("adviser_email") <= 254)
;
ALTER TABLE "workspace" ADD COLUMN "corporate_portal_url" VARCHAR(500) CHECK (length("corporate_portal_url") <= 500)
;
ALTER TABLE "workspace" ADD COLUMN "account_service_email" VARCHAR(254) CHECK (length("account_service_email") <= 254)
;
ALTER TABLE "workspace" ADD COLUMN "account_service_phone" VARCHAR(40) CHECK (length("account_service_phone") <= 40)
;
CREATE TABLE "purchase_request" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "number" VARCHAR(20) NOT NULL CHECK (length("number") <= 20),
  "workspace_id" INTEGER NOT NULL,
  "asker_id" INTEGER,
  "note" TEXT NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "fingerprint" VARCHAR(32) NOT NULL CHECK (length("fingerprint") <= 32),
  "state" VARCHAR(9) NOT NULL CHECK ("state" IN ('open', 'approved', 'declined', 'expired', 'withdrawn')),
  "created_at" TIMESTAMP NOT NULL,
  "expires_at" TIMESTAMP NOT NULL,
  "order_id" INTEGER,
  "decided_by_id" INTEGER,
  "decided_at" TIMESTAMP,
  "reason" TEXT NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("asker_id") REFERENCES "person" ("id") ON DELETE SET NULL,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE SET NULL,
  FOREIGN KEY ("decided_by_id") REFERENCES "person" ("id") ON DELETE SET NULL)
;
CREATE UNIQUE INDEX "purchase_request_number" ON "purchase_request" ("number")
;
CREATE INDEX "purchase_request_asker_id" ON "purchase_request" ("asker_id")
;
CREATE UNIQUE INDEX "purchase_request_order_id" ON "purchase_request" ("order_id")
;
CREATE INDEX "purchase_request_decided_by_id" ON "purchase_request" ("decided_by_id")
;
CREATE INDEX "purchase_request_workspace_id_id" ON "purchase_request" ("workspace_id", "id")
;
CREATE INDEX "purchase_request_state_expires_at" ON "purchase_request" ("state", "expires_at")
;
CREATE TABLE "purchase_request_line" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "request_id" INTEGER NOT NULL,
  "product_id" INTEGER NOT NULL,
  "plan_id" INTEGER NOT NULL,
  "price_id" INTEGER NOT NULL,
  "interval" VARCHAR(5) NOT NULL CHECK ("interval" IN ('month', 'year')),
  "quantity" BIGINT NOT NULL CHECK (quantity > 0) CHECK ("quantity" = CAST("quantity" AS BIGINT)),
  "unit_minor" BIGINT NOT NULL CHECK (unit_minor >= 0) CHECK ("unit_minor" = CAST("unit_minor" AS BIGINT)),
  FOREIGN KEY ("request_id") REFERENCES "purchase_request" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("product_id") REFERENCES "product" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("plan_id") REFERENCES "plan" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("price_id") REFERENCES "price" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "purchase_request_line_request_id_product_id" ON "purchase_request_line" ("request_id", "product_id")
;
CREATE TABLE "bought_alone" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "order_id" INTEGER NOT NULL,
  "workspace_id" INTEGER NOT NULL,
  "bought_on" DATE NOT NULL,
  FOREIGN KEY ("order_id") REFERENCES "purchase_order" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "bought_alone_order_id" ON "bought_alone" ("order_id")
;
CREATE INDEX "bought_alone_workspace_id_bought_on" ON "bought_alone" ("workspace_id", "bought_on")