CREATE TABLE "licence_key" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "subscription_id" INTEGER NOT NULL,
  "seed" VARCHAR(64) NOT NULL CHECK (length("seed") <= 64),
  "digest" VARCHAR(64) NOT NULL CHECK (length("digest") <= 64),
  "made_at" TIMESTAMP NOT NULL,
  "activated_at" TIMESTAMP,
  "replaced_at" TIMESTAMP,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "licence_key_one_live" ON "licence_key" ("subscription_id") WHERE ("replaced_at" IS NULL)
;
CREATE UNIQUE INDEX "licence_key_digest" ON "licence_key" ("digest")
;
CREATE INDEX "licence_key_subscription_id" ON "licence_key" ("subscription_id")
;
UPDATE "subscription" SET "look_at" = "created_at"
  WHERE "product_id" IN (SELECT "id" FROM "product" WHERE "licence_keys")
  AND "workspace_id" IN (SELECT "id" FROM "workspace" WHERE "deleted_at" IS NULL)