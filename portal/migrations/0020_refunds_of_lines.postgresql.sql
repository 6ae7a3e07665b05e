ALTER TABLE "refund" ADD COLUMN "line_id" INTEGER REFERENCES "order_line" ("id") ON DELETE RESTRICT
;
ALTER TABLE "refund" ADD COLUMN "credit_note_id" INTEGER REFERENCES "invoice" ("id") ON DELETE RESTRICT
;
UPDATE "refund" SET "credit_note_id" = (
      SELECT MIN("i"."id") FROM "invoice" AS "i" JOIN "payment" AS "p" ON "p"."order_id" = "i"."order_id"
      WHERE "p"."id" = "refund"."payment_id" AND "i"."kind" = 'credit_note') WHERE "state" = 'succeeded'
;
DROP INDEX "refund_one_live_per_payment"
;
CREATE UNIQUE INDEX "refund_credit_note_id" ON "refund" ("credit_note_id")
;
CREATE UNIQUE INDEX "refund_one_open_per_payment" ON "refund" ("payment_id") WHERE ("state" IN ('created', 'unknown'))
;
CREATE UNIQUE INDEX "refund_one_whole_per_payment" ON "refund" ("payment_id") WHERE (("state" != 'refused') AND ("line_id" IS NULL))
;
CREATE UNIQUE INDEX "refund_one_per_line" ON "refund" ("line_id") WHERE ("state" != 'refused')
