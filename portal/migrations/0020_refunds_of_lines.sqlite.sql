CREATE TABLE "new_refund" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" VARCHAR(40) NOT NULL CHECK (length("key") <= 40),
  "workspace_id" INTEGER NOT NULL,
  "payment_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "amount_minor" INTEGER NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "state" VARCHAR(9) NOT NULL CHECK ("state" IN ('created', 'unknown', 'succeeded', 'refused')),
  "refusal_code" VARCHAR(40) NOT NULL CHECK (length("refusal_code") <= 40),
  "reference" VARCHAR(200) NOT NULL CHECK (length("reference") <= 200),
  "tries" INTEGER NOT NULL CHECK ("tries" = CAST("tries" AS BIGINT)),
  "ask_again_at" DATETIME,
  "created_at" DATETIME NOT NULL,
  "settled_at" DATETIME,
  "line_id" INTEGER,
  "credit_note_id" INTEGER,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_id") REFERENCES "payment" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("person_id") REFERENCES "person" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("line_id") REFERENCES "order_line" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("credit_note_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT)
;
INSERT INTO "new_refund" ("id", "key", "workspace_id", "payment_id", "person_id", "amount_minor", "currency", "state", "refusal_code", "reference", "tries", "ask_again_at", "created_at", "settled_at", "credit_note_id")
  SELECT "id", "key", "workspace_id", "payment_id", "person_id", "amount_minor", "currency", "state", "refusal_code", "reference", "tries", "ask_again_at", "created_at", "settled_at",
    CASE WHEN "state" = 'succeeded' THEN (
      SELECT MIN("i"."id") FROM "invoice" AS "i" JOIN "payment" AS "p" ON "p"."order_id" = "i"."order_id"
      WHERE "p"."id" = "refund"."payment_id" AND "i"."kind" = 'credit_note') END
  FROM "refund"
;
DROP TABLE "refund"
;
ALTER TABLE "new_refund" RENAME TO "refund"
;
CREATE UNIQUE INDEX "refund_key" ON "refund" ("key")
;
CREATE INDEX "refund_workspace_id" ON "refund" ("workspace_id")
;
CREATE INDEX "refund_payment_id" ON "refund" ("payment_id")
;
CREATE INDEX "refund_person_id" ON "refund" ("person_id")
;
CREATE INDEX "refund_ask_again_at" ON "refund" ("ask_again_at")
;
CREATE UNIQUE INDEX "refund_credit_note_id" ON "refund" ("credit_note_id")
;
CREATE UNIQUE INDEX "refund_one_open_per_payment" ON "refund" ("payment_id") WHERE ("state" IN ('created', 'unknown'))
;
CREATE UNIQUE INDEX "refund_one_whole_per_payment" ON "refund" ("payment_id") WHERE (("state" != 'refused') AND ("line_id" IS NULL))
;
CREATE UNIQUE INDEX "refund_one_per_line" ON "refund" ("line_id") WHERE ("state" != 'refused')
