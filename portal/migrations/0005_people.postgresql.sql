ALTER TABLE "link" DROP CONSTRAINT "link_purpose_check"
;
ALTER TABLE "link" ADD CONSTRAINT "link_purpose_check" CHECK ("purpose" IN ('magic', 'reset', 'invitation', 'new_email', 'undo_email'))
;
ALTER TABLE "link" ADD COLUMN "email" VARCHAR(254) CHECK (length("email") <= 254)
;
CREATE TABLE "unsent_form" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "token_hash" VARCHAR(64) NOT NULL CHECK (length("token_hash") <= 64),
  "person_id" INTEGER,
  "page" VARCHAR(500) NOT NULL CHECK (length("page") <= 500),
  "fields" JSONB NOT NULL,
  "expires_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE CASCADE)
;
CREATE UNIQUE INDEX "unsent_form_token_hash" ON "unsent_form" ("token_hash")
;
CREATE INDEX "unsent_form_person_id" ON "unsent_form" ("person_id")
;
CREATE INDEX "unsent_form_expires_at" ON "unsent_form" ("expires_at")
;
CREATE TABLE "trial_taken" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "address_hash" VARCHAR(64) NOT NULL CHECK (length("address_hash") <= 64),
  "until_on" DATE NOT NULL)
;
CREATE UNIQUE INDEX "trial_taken_address_hash" ON "trial_taken" ("address_hash")
;
CREATE INDEX "trial_taken_until_on" ON "trial_taken" ("until_on")
;
ALTER TABLE "person" ADD COLUMN "folded_name" VARCHAR(800) CHECK (length("folded_name") <= 800)
;
ALTER TABLE "person" ADD COLUMN "folded_email" VARCHAR(800) CHECK (length("folded_email") <= 800)
;
ALTER TABLE "workspace" ADD COLUMN "folded_name" VARCHAR(800) CHECK (length("folded_name") <= 800)
;
ALTER TABLE "workspace" ADD COLUMN "session_binding" VARCHAR(7) CHECK ("session_binding" IN ('off', 'network', 'strict'))
;
ALTER TABLE "member" ADD COLUMN "wanted_role" VARCHAR(15) CHECK ("wanted_role" IN ('owner', 'admin', 'billing_manager', 'member'))
;
ALTER TABLE "session" ADD COLUMN "other_ip_address" VARCHAR(45) CHECK (length("other_ip_address") <= 45)
