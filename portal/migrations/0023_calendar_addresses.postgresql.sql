CREATE TABLE "calendar_address" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "member_id" INTEGER NOT NULL,
  "token_hash" VARCHAR(64) NOT NULL CHECK (length("token_hash") <= 64),
  "created_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("member_id") REFERENCES "member" ("id") ON DELETE CASCADE)
;
CREATE UNIQUE INDEX "calendar_address_member_id" ON "calendar_address" ("member_id")
;
CREATE UNIQUE INDEX "calendar_address_token_hash" ON "calendar_address" ("token_hash")
