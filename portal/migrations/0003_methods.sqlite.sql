CREATE TABLE "method_setup" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "gateway" VARCHAR(20) NOT NULL CHECK (length("gateway") <= 20),
  "state" VARCHAR(15) NOT NULL CHECK ("state" IN ('created', 'action_required', 'unknown', 'done', 'declined')),
  "method_id" INTEGER,
  "decline_code" VARCHAR(40) NOT NULL CHECK (length("decline_code") <= 40),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "action_url" VARCHAR(500) NOT NULL CHECK (length("action_url") <= 500),
  "look_ups" INTEGER NOT NULL CHECK ("look_ups" = CAST("look_ups" AS BIGINT)),
  "look_up_at" DATETIME,
  "created_at" DATETIME NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("method_id") REFERENCES "payment_method" ("id") ON DELETE RESTRICT)
;
CREATE UNIQUE INDEX "method_setup_key" ON "method_setup" ("key")
;
CREATE INDEX "method_setup_workspace_id" ON "method_setup" ("workspace_id")
;
CREATE INDEX "method_setup_person_id" ON "method_setup" ("person_id")
;
CREATE INDEX "method_setup_method_id" ON "method_setup" ("method_id")
;
CREATE INDEX "method_setup_look_up_at" ON "method_setup" ("look_up_at")
