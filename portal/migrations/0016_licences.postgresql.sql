CREATE TABLE "licence" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "subscription_id" INTEGER NOT NULL,
  "member_id" INTEGER NOT NULL,
  "assigned_at" TIMESTAMP NOT NULL,
  "assigned_by_id" INTEGER,
  FOREIGN KEY ("subscription_id") REFERENCES "subscription" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("member_id") REFERENCES "member" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("assigned_by_id") REFERENCES "person" ("id") ON DELETE SET NULL)
;
CREATE UNIQUE INDEX "licence_subscription_id_member_id" ON "licence" ("subscription_id", "member_id")
;
CREATE INDEX "licence_member_id" ON "licence" ("member_id")
;
CREATE INDEX "licence_assigned_by_id" ON "licence" ("assigned_by_id")
