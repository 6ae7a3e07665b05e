CREATE INDEX "outbox_message_parked" ON "outbox_message" ("parked_at") WHERE ("parked_at" IS NOT NULL)
