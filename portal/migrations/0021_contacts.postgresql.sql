CREATE TABLE "contact" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "member_id" INTEGER,
  "email" VARCHAR(254) CHECK (email = lower(email)) CHECK (length("email") <= 254),
  "language" VARCHAR(5) CHECK (length("language") <= 5),
  "added_by_id" INTEGER,
  "created_at" TIMESTAMP NOT NULL,
  "confirmed_at" TIMESTAMP,
  "bounced_at" TIMESTAMP,
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
ALTER TABLE "person" ADD COLUMN "bounced_at" TIMESTAMP
;
ALTER TABLE "person" ADD COLUMN "bounce_reason" VARCHAR(200) CHECK (length("bounce_reason") <= 200)
;
ALTER TABLE "outbox_message" ADD COLUMN "held_at" TIMESTAMP
;
CREATE INDEX "outbox_message_held" ON "outbox_message" ("held_at") WHERE ("held_at" IS NOT NULL)
;
ALTER TABLE "link" DROP CONSTRAINT "link_purpose_check"
;
ALTER TABLE "link" ADD CONSTRAINT "link_purpose_check" CHECK ("purpose" IN ('magic', 'reset', 'invitation', 'new_email', 'undo_email', 'contact'))
;
ALTER TABLE "link" ALTER COLUMN "person_id" DROP NOT NULL
;
ALTER TABLE "link" ADD COLUMN "contact_id" INTEGER REFERENCES "contact" ("id") ON DELETE CASCADE
;
CREATE INDEX "link_contact_id" ON "link" ("contact_id")
;
ALTER TABLE "link" ADD CHECK ((person_id IS NULL) <> (contact_id IS NULL))
