CREATE TABLE "balance_entry" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "workspace_id" INTEGER NOT NULL,
  "currency" VARCHAR(3) NOT NULL CHECK (length("currency") = 3 AND "currency" = upper("currency")),
  "amount_minor" BIGINT NOT NULL CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  "kind" VARCHAR(11) NOT NULL CHECK ("kind" IN ('invoice', 'credit_note', 'payment', 'refund')),
  "invoice_id" INTEGER,
  "payment_id" INTEGER,
  "refund_id" INTEGER,
  "made_at" TIMESTAMP NOT NULL,
  FOREIGN KEY ("workspace_id") REFERENCES "workspace" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("payment_id") REFERENCES "payment" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("refund_id") REFERENCES "refund" ("id") ON DELETE RESTRICT,
  CHECK ((kind IN ('invoice', 'credit_note')) = (invoice_id IS NOT NULL)),
  CHECK ((kind = 'payment') = (payment_id IS NOT NULL)),
  CHECK ((kind = 'refund') = (refund_id IS NOT NULL)),
  CHECK (amount_minor = 0 OR (amount_minor > 0) = (kind IN ('payment', 'credit_note'))))
;
CREATE INDEX "balance_entry_workspace_id_id" ON "balance_entry" ("workspace_id", "id")
;
CREATE UNIQUE INDEX "balance_entry_of_invoice" ON "balance_entry" ("invoice_id") WHERE ("invoice_id" IS NOT NULL)
;
CREATE UNIQUE INDEX "balance_entry_of_payment" ON "balance_entry" ("payment_id") WHERE ("payment_id" IS NOT NULL)
;
CREATE UNIQUE INDEX "balance_entry_of_refund" ON "balance_entry" ("refund_id") WHERE ("refund_id" IS NOT NULL)
;
CREATE TABLE "allocation" (
  "id" SERIAL NOT NULL PRIMARY KEY,
  "entry_id" INTEGER NOT NULL,
  "invoice_id" INTEGER,
  "refund_id" INTEGER,
  "amount_minor" BIGINT NOT NULL CHECK (amount_minor > 0) CHECK ("amount_minor" = CAST("amount_minor" AS BIGINT)),
  FOREIGN KEY ("entry_id") REFERENCES "balance_entry" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("invoice_id") REFERENCES "invoice" ("id") ON DELETE RESTRICT,
  FOREIGN KEY ("refund_id") REFERENCES "refund" ("id") ON DELETE RESTRICT,
  CHECK ((invoice_id IS NULL) <> (refund_id IS NULL)))
;
CREATE INDEX "allocation_entry_id" ON "allocation" ("entry_id")
;
CREATE UNIQUE INDEX "allocation_invoice_id_entry_id" ON "allocation" ("invoice_id", "entry_id")
;
CREATE UNIQUE INDEX "allocation_of_refunds" ON "allocation" ("refund_id", "entry_id") WHERE ("refund_id" IS NOT NULL)
;
INSERT INTO "balance_entry" ("workspace_id", "currency", "amount_minor", "kind", "invoice_id", "payment_id", "refund_id", "made_at")
  SELECT "workspace_id", "currency", "amount_minor", "kind", "invoice_id", "payment_id", "refund_id", "made_at" FROM (
    SELECT "i"."workspace_id", "i"."currency", CASE WHEN "i"."kind" = 'invoice' THEN -"i"."total_minor" ELSE "i"."total_minor" END AS "amount_minor",
      "i"."kind", "i"."id" AS "invoice_id", CAST(NULL AS INTEGER) AS "payment_id", CAST(NULL AS INTEGER) AS "refund_id", "i"."issued_at" AS "made_at",
      CASE WHEN "i"."kind" = 'invoice' THEN 1 ELSE 3 END AS "turn", "i"."id" AS "cause_id" FROM "invoice" AS "i"
    UNION ALL
    SELECT "p"."workspace_id", "p"."currency", "p"."amount_minor", 'payment', NULL, "p"."id", NULL,
      COALESCE("o"."paid_at", "p"."settled_at", "p"."created_at"), 2, "p"."id"
      FROM "payment" AS "p" JOIN "purchase_order" AS "o" ON "o"."id" = "p"."order_id" WHERE "p"."state" = 'succeeded'
    UNION ALL
    SELECT "r"."workspace_id", "r"."currency", -"r"."amount_minor", 'refund', NULL, NULL, "r"."id",
      COALESCE("c"."issued_at", "r"."settled_at", "r"."created_at"), 4, "r"."id"
      FROM "refund" AS "r" JOIN "payment" AS "p" ON "p"."id" = "r"."payment_id"
      LEFT JOIN "invoice" AS "c" ON "c"."order_id" = "p"."order_id" AND "c"."kind" = 'credit_note' WHERE "r"."state" = 'succeeded'
  ) AS "cause" ORDER BY "made_at", "turn", "cause_id"
;
INSERT INTO "allocation" ("entry_id", "invoice_id", "amount_minor")
  SELECT "e"."id", "i"."id", LEAST("p"."amount_minor", "i"."total_minor")
  FROM "balance_entry" AS "e" JOIN "payment" AS "p" ON "p"."id" = "e"."payment_id"
  JOIN "invoice" AS "i" ON "i"."order_id" = "p"."order_id" AND "i"."kind" = 'invoice'
  WHERE "i"."total_minor" > 0 ORDER BY "e"."id"
;
INSERT INTO "allocation" ("entry_id", "refund_id", "amount_minor")
  SELECT "e"."id", "r"."id", LEAST("r"."amount_minor", "e"."amount_minor")
  FROM "refund" AS "r" JOIN "payment" AS "p" ON "p"."id" = "r"."payment_id"
  JOIN "invoice" AS "c" ON "c"."order_id" = "p"."order_id" AND "c"."kind" = 'credit_note'
  JOIN "balance_entry" AS "e" ON "e"."invoice_id" = "c"."id"
  WHERE "r"."state" = 'succeeded' AND "e"."amount_minor" > 0 ORDER BY "r"."id"
