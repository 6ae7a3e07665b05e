CREATE INDEX "payment_open" ON "payment" ("workspace_id") WHERE ("look_up_at" IS NOT NULL)
