CREATE TABLE "contact" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "member_id" INTEGER,
  "email" VARCHAR(254) CHECK (email = lower(email)) CHECK (length("email") <= 254),
  "language" VARCHAR(5) CHECK (length("language") <= 5),
  "added_by_id" INTEGER,
  "created_at" DATETIME NOT NULL,
  "confirmed_at" DATETIME,
  "bounced_at" DATETIME,
  "bounce_reason" VARCHAR(200) CHECK (length("bounce_reason") <= 200),
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("member_id") REFERENCES "member" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("added_by_id") REFERENCES "person" ("id") ON DELETE SET NULL,
  CHECK ((member_id IS NULL) = (email IS NOT NULL)),
  CHECK ((email IS NULL) = (language IS NULL)))
;
CREATE UNIQUE INDEX "contact_member_id" ON "contact" ("member_id")
;
CREATE INDEX "contact_added_by_id" ON "contact" ("added_by_id")
;
CREATE UNIQUE INDEX "contact_workspace_id_email" ON "contact" ("workspace_id", "email")
;
CREATE INDEX "contact_email" ON "contact" ("email")
;
ALTER TABLE "person" ADD COLUMN "bounced_at" DATETIME
;
ALTER TABLE "person" ADD COLUMN "bounce_reason" VARCHAR(200) CHECK (length("bounce_reason") <= 200)
;
ALTER TABLE "outbox_message" ADD COLUMN "held_at" DATETIME
;
CREATE INDEX "outbox_message_held" ON "outbox_message" ("held_at") WHERE ("held_at" IS NOT NULL)
;
CREATE TABLE "new_link" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "token_hash" VARCHAR(64) NOT NULL CHECK (length("token_hash") <= 64),
  "purpose" VARCHAR(10) NOT NULL CHECK ("purpose" IN ('magic', 'reset', 'invitation', 'new_email', 'undo_email', 'contact')),
  "person_id" INTEGER,
  "member_id" INTEGER,
  "created_at" DATETIME NOT NULL,
  "expires_at" DATETIME NOT NULL,
  "used_at" DATETIME,
  "email" VARCHAR(254) CHECK (length("email") <= 254),
  "contact_id" INTEGER,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("member_id") REFERENCES "member" ("id") ON DELETE CASCADE,
  FOREIGN KEY ("contact_id") REFERENCES "contact" ("id") ON DELETE CASCADE,
  CHECK ((person_id IS NULL) <> (contact_id IS NULL)))
;
INSERT INTO "new_link" ("id", "token_hash", "purpose", "person_id", "member_id", "created_at", "expires_at", "used_at", "email")
  SELECT "id", "token_hash", "purpose", "person_id", "member_id", "created_at", "expires_at", "used_at", "email" FROM "link"
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
