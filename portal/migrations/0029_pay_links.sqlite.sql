CREATE TABLE "new_link" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "token_hash" VARCHAR(64) NOT NULL CHECK (length("token_hash") <= 64),
  "purpose" VARCHAR(10) NOT NULL CHECK ("purpose" IN ('magic', 'reset', 'invitation', 'new_email', 'undo_email', 'contact', 'pay')),
  "person_id" INTEGER,
  "member_id" INTEGER,
  "created_at" DATETIME NOT NULL,
  "expires_at" DATETIME,
  "used_at" DATETIME,
  "email" VARCHAR(254) CHECK (length("email") <= 254),
  "contact_id" INTEGER,
  "invoice_id" INTEGER,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("member_id") REFERENCES "member" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("contact_id") REFERENCES "contact" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE CASCADE,
  CHECK (CASE WHEN person_id IS NULL THEN 0 ELSE 1 END + CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END + CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END = 1),
  CHECK ((purpose = 'pay') = (invoice_id IS NOT NULL)),
  CHECK (expires_at IS NOT NULL OR invoice_id IS NOT NULL))
;
INSERT INTO "new_link" ("id", "token_hash", "purpose", "person_id", "member_id", "created_at", "expires_at", "used_at", "email", "contact_id")
  SELECT "id", "token_hash", "purpose", "person_id", "member_id", "created_at", "expires_at", "used_at", "email", "contact_id" FROM "link"
;
DROP TABLE "link"
;
ALTER TABLE "new_link" RENAME TO "link"
;
CREATE UNIQUE INDEX "link_token_hash" ON "link" ("token_hash")
;
CREATE INDEX "link_person_id" ON "link" ("person_id")
;
CREATE INDEX "link_member_id" ON "link" ("member_id")
;
CREATE INDEX "link_contact_id" ON "link" ("contact_id")
;
CREATE INDEX "link_invoice_id" ON "link" ("invoice_id")
;
ALTER TABLE "payment" ADD COLUMN "by_link" INTEGER NOT NULL DEFAULT false
